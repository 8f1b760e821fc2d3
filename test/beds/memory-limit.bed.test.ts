import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { AgentBench } from "../support/agent-bench.ts";
import { agentProgram } from "../support/agent-program.ts";
import { FakeControlPlane } from "../support/fake-control-plane.ts";
import { hasProgram, IMAGE, type ContainerBed } from "./container-bed.ts";
import { start } from "./docker-daemon.ts";

/* A worker in a container of docker's own daemon, with a limit of memory that the kernel keeps. */

const why =
  process.getuid?.() !== 0
    ? "the daemon needs root"
    : ["dockerd", "busybox"].find((name) => !hasProgram(name));
if (why !== undefined) console.warn(`skipped: ${why}`);

const CONTAINER = "pumice-memory";
let folder: string;
let bed: ContainerBed | undefined;
let program: Awaited<ReturnType<typeof agentProgram>>;
let plane: FakeControlPlane;
let bench: AgentBench;
beforeAll(async () => {
  if (why !== undefined) return;
  folder = mkdtempSync(path.join(tmpdir(), "pumice-memory-"));
  mkdirSync(path.join(folder, "docker"));
  bed = await start(path.join(folder, "docker"), () => {});
  program = await agentProgram();
}, 180_000);
afterAll(async () => {
  await bed?.close();
  program?.remove();
  if (folder) rmSync(folder, { recursive: true, force: true });
});
beforeEach(async () => {
  plane = await new FakeControlPlane().listen();
  bench = new AgentBench(program.file, plane.token);
});
afterEach(async () => {
  if (isRunning()) bed?.client("rm", "--force", CONTAINER);
  await bench.close();
  await plane.stop().catch(() => {});
});

const isRunning = (): boolean =>
  bed?.client("ps", "--quiet", "--filter", `name=${CONTAINER}`).trim() !== "";

/** The worker with so much memory (docker's words), on this machine's loopback and with this machine's libraries. */
function startIn(memory: string): void {
  const node = path.dirname(process.execPath);
  const folders = ["/lib", "/lib64", "/usr/lib", node, path.dirname(program.file)];
  const mounts = [...folders.map((at) => `${at}:${at}:ro`), `${bench.dir}:${bench.dir}`];
  bed?.client(
    ...["run", "--detach", "--rm", "--init", "--name", CONTAINER, "--network", "host"],
    ...["--memory", memory, "--memory-swap", memory, "--env", "PUMICE_MIN_FREE_MB=1"],
    ...mounts.flatMap((mount) => ["--volume", mount]),
    ...[IMAGE, process.execPath, program.file, "start", "--url", plane.url],
    ...["--token-file", bench.tokenFile, "--work-dir", bench.workDir],
  );
}

test.skipIf(why)(
  "takes as few jobs at a time as the container's memory is enough for",
  async () => {
    for (const id of [1, 2, 3]) plane.submit(id, [{ log: 1 }, { wait: "on" }]);
    // 189 MB: nine tenths are 170, for an agent and two runners.
    startIn("180m");
    await plane.until(() => plane.syncs.some((sync) => sync.no_jobs !== undefined));
    const told = plane.syncs.find((sync) => sync.no_jobs !== undefined);
    expect(told?.no_jobs).toMatch(/left of the 170 MB .* by its control group .*, 2 running/);
    expect(told?.runners).toHaveLength(2);
    for (const id of [1, 2]) bench.go(id, "on");
    await plane.until(() => plane.job(3).lines.length === 1);
    bench.go(3, "on");
    await plane.finished(3);
  },
);

test.skipIf(why)("ends a runner that takes too much before the kernel has to", async () => {
  const good = plane.submit(1, [{ log: 1 }, { wait: "on" }]);
  const bad = plane.submit(2, [{ log: 1 }, { wait: "eat" }, { eat: 430 }, { wait: "never" }]);
  startIn("500m");
  await plane.until(() => good.lines.length === 1 && bad.lines.length === 1);
  bench.go(2, "eat");
  await plane.finished(2);
  expect(bad.finish).toMatchObject({ result: "fail", error_type: "Infrastructure" });
  expect(bad.finish?.error_msg).toMatch(
    /^the runner took 4\d\d MB of memory with what it has started, .* they may take 472 MB by its control group/,
  );
  expect(killsByKernel()).toBe(0);
  bench.go(1, "on");
  expect((await plane.finished(1)).finish).toMatchObject({ result: "pass" });
});

test.skipIf(why)("goes on with its other jobs when the kernel was quicker", async () => {
  const good = plane.submit(1, [{ log: 1 }, { wait: "on" }]);
  const bad = plane.submit(2, [{ log: 1 }, { wait: "eat" }, { eat: 900 }, { wait: "never" }]);
  startIn("500m");
  await plane.until(() => good.lines.length === 1 && bad.lines.length === 1);
  bench.go(2, "eat");
  await plane.finished(2);
  expect(bad.finish).toMatchObject({ result: "fail", error_type: "Infrastructure" });
  expect(isRunning()).toBe(true);
  bench.go(1, "on");
  expect((await plane.finished(1)).finish).toMatchObject({ result: "pass" });
});

/** How many processes of the container the kernel has killed for their memory; version 1 or 2 of control groups. */
function killsByKernel(): number {
  const script =
    "cat /sys/fs/cgroup/memory/memory.oom_control /sys/fs/cgroup/memory.events 2>/dev/null || true";
  const said = bed?.client("exec", CONTAINER, "sh", "-c", script) ?? "";
  return Number(/^oom_kill (\d+)$/m.exec(said)?.[1]);
}
