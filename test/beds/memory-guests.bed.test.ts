import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { exampleJob, realLab, root, type RealLab } from "../support/real-lab.ts";
import { hasProgram } from "./container-bed.ts";
import { lacksGroups, limitedGroup, type LimitedGroup } from "./memory-group.ts";

/* The single file in a control group of 420 MB, with jobs whose guests in QEMU have 256 MB each. */

const LIMIT = 420_000_000;
const DEVICES = 6;

const why =
  lacksGroups() ??
  (hasProgram("qemu-system-x86_64") ? undefined : "there is no qemu-system-x86_64");
if (why !== undefined) console.warn(`skipped: ${why}`);

let folder: string;
let group: LimitedGroup;
let lab: RealLab;
let agentLog: string;
beforeAll(() => {
  if (why !== undefined) return;
  folder = mkdtempSync(path.join(tmpdir(), "pumice-guests-"));
  execFileSync(path.join(root, "scripts/build"), ["x64", "--out", folder], { stdio: "ignore" });
});
afterAll(() => {
  if (folder) rmSync(folder, { recursive: true, force: true });
});
beforeEach(() => {
  if (why === undefined) group = limitedGroup(`pumice-guests-${process.pid}`, LIMIT);
});
afterEach(async () => {
  await lab?.close();
  await group?.remove();
});

async function startLab(devices: number): Promise<void> {
  const worker = [...group.enter, path.join(folder, "pumice-worker-linux-x64")] as const;
  lab = await realLab({ devices, worker });
  agentLog = "";
  lab.agent.stderr?.on("data", (data: Buffer) => (agentLog += String(data)));
}

/** Makes the first device's QEMU have these options instead of its memory. */
async function giveMemory(options: readonly string[]): Promise<void> {
  const text = readFileSync(path.join(root, "docs/examples/qemu-device.yaml"), "utf8");
  const lines = options.map((option) => `- ${option}`).join("\n            ");
  await lab.api("PUT", "/devices/qemu-01", {
    device_type: "qemu",
    worker: "bench",
    configuration: text.replace("- -m 256", lines),
  });
}

test.skipIf(why)("six jobs run one after the other, all Complete, none killed", async () => {
  await startLab(DEVICES);
  const job = exampleJob("qemu-smoke.yaml");
  const ids: number[] = [];
  for (let n = 0; n < DEVICES; n++) ids.push(await lab.submit(job));
  const ended = await Promise.all(ids.map((id) => lab.finished(id)));
  expect(ended.map(({ health }) => health)).toEqual(ids.map(() => "Complete"));
  expect(group.kills()).toBe(0);
  const order = [...agentLog.matchAll(/job \d+: (starting|its runner has ended)/g)];
  expect(order.map(([, what]) => what)).toEqual(
    ids.flatMap(() => ["starting", "its runner has ended"]),
  );
  expect(agentLog).toMatch(/no new jobs are taken: .* \d+ MB are left of the 378 MB .*, 1 running/);
});

test.skipIf(why)("a guest that can't ever fit is refused, with what to do about it", async () => {
  await startLab(1);
  await giveMemory(["-m 512"]);
  const id = await lab.submit(exampleJob("qemu-smoke.yaml"));
  expect(await lab.finished(id)).toMatchObject({
    health: "Incomplete",
    error_type: "Infrastructure",
    error_msg: expect.stringMatching(
      /guest may take 537 MB .* 637 MB with runner and agent, .* may take 378 MB by its control group .*: give the guest less/,
    ),
  });
  await giveMemory(["-m 256"]);
  const next = await lab.submit(exampleJob("qemu-smoke.yaml"));
  expect((await lab.finished(next)).health).toBe("Complete");
});

// The agent looks each two seconds, and seldom comes between the tenth that it keeps free and the kernel.
test.skipIf(why)(
  "a guest that the kernel kills, or the agent, ends its job as the lab's fault",
  async () => {
    await startLab(1);
    await giveMemory(["-m 256", "-object memory-backend-ram,id=more,size=1G,prealloc=on"]);
    const id = await lab.submit(exampleJob("qemu-smoke.yaml"));
    const job = await lab.finished(id);
    expect(job).toMatchObject({
      health: "Incomplete",
      error_type: "Infrastructure",
      error_msg: expect.stringMatching(
        /SIGKILL: it was killed, .* by the kernel, because memory ran|the runner took \d+ MB of memory .* they may take 378 MB/,
      ),
    });
    expect(group.kills() > 0).toBe(/by the kernel/.test(job.error_msg ?? ""));
    expect(lab.agent.exitCode).toBeNull();
  },
);
