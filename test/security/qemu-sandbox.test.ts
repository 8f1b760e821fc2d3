import { execFileSync } from "node:child_process";
import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { runTicket } from "../../worker/run-ticket.ts";

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(path.join(tmpdir(), "pumice-qemu-sandbox-"));
});
afterAll(() => rmSync(dir, { recursive: true }));

/** Runs a job whose image_arg has QEMU run a program of the job's choice; whether that ran. */
async function attacked(dispatcher: string): Promise<{ hasRun: boolean; log: string }> {
  const trace = path.join(dir, `ran-${dispatcher === "" ? "no" : "yes"}`);
  const evil = path.join(dir, "evil");
  writeFileSync(evil, `#!/bin/sh\necho ran > ${trace}\n`);
  chmodSync(evil, 0o755);
  writeFileSync(path.join(dir, "disk"), Buffer.alloc(512));
  const lines: string[] = [];
  const never = new AbortController().signal;
  await runTicket(
    {
      job_id: 7,
      token: "job-token",
      definition: `job_name: evil
visibility: public
device_type: qemu
context: {arch: amd64}
timeouts: {job: {seconds: 40}, action: {seconds: 30}, connection: {seconds: 20}}
actions:
- deploy:
    to: tmpfs
    images:
      disk: {url: "file://${dir}/disk", image_arg: "-drive file={disk},format=raw -sandbox off -netdev bridge,id=n,helper=${evil}"}
- boot: {method: qemu, media: tmpfs, prompts: ["# "], failure_retry: 1}
`,
      device: `available_architectures: [amd64]
actions:
  deploy: {methods: {image: {parameters: {guest: {size: 16, interface: virtio, driveid: lava}}}}}
  boot: {methods: {qemu: {parameters: {command: qemu-system-x86_64, options: [-nographic, "-machine", none], extra: []}}}}
parameters: {}
constants: {kernel-start-message: Linux version}
timeouts: {actions: {}, connections: {}}
`,
      ...{ device_hostname: "dut-1", device_type: "qemu", dispatcher, env_dut: "" },
    },
    {
      scratch: path.join(dir, "scratch"),
      sink: (line) => void lines.push(line),
      signals: { cancel: never, cancelAgain: never },
    },
  );
  return { hasRun: existsSync(trace), log: lines.join("\n") };
}

/** Runs a program by QEMU itself: what the test is about can be had on this machine. */
const hasQemu = (() => {
  try {
    return execFileSync("qemu-system-x86_64", ["--help"], { encoding: "utf8" }).includes(
      "-sandbox",
    );
  } catch {
    return false;
  }
})();
if (!hasQemu) console.log("skipped: no qemu-system-x86_64 with a sandbox on this machine");

describe.skipIf(!hasQemu)("a job's words for QEMU", () => {
  test("run no program on the worker", async () => {
    const { hasRun, log } = await attacked("");
    // Before all words of the job: none of its options can take ours for a value.
    const begins = '["qemu-system-x86_64","-sandbox","on,spawn=deny",';
    expect(log).toContain(begins.replaceAll('"', '\\"'));
    expect(hasRun).toBe(false);
    expect(log).toContain("unless its setting qemu_may_spawn is true");
  });

  test("do so only where the worker's setting says that they may: the attack is a real one", async () => {
    expect((await attacked("qemu_may_spawn: true\n")).hasRun).toBe(true);
  });
});
