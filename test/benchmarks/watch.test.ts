import { expect, test } from "vitest";
import { ownSecondsOf, type Process } from "../../scripts/benchmarks/table/process-tree.ts";
import type { Side } from "../../scripts/benchmarks/table/sides.ts";
import { watched, type Role } from "../../scripts/benchmarks/table/watch.ts";

const aProcess = (command: string, threadSeconds: number, tickSeconds: number): Process => ({
  ...{ pid: process.pid, parent: 1, command, startedAt: "7" },
  ...{ threadSeconds, tickSeconds, endedSeconds: 0 },
});

test("what a DUT used stays the DUT's when it ends and its command line is gone", async () => {
  const guest = (command: string, seconds: number) => aProcess(command, seconds, seconds);
  const looks: [Process, Role][] = [
    [guest("qemu-system-x86_64 -m 256", 2), "dut"],
    [guest("", 3), "runner"],
  ];
  let ended = (): void => {};
  const work = new Promise<void>((resolve) => void (ended = resolve));
  const side = {
    server: () => [],
    bench: () => [],
    roles: () => {
      if (looks.length === 1) ended();
      return [looks.length > 1 ? looks.shift()! : looks[0]!];
    },
  };
  const [, { cpuSeconds }] = await watched(side as unknown as Side, () => work);
  expect(cpuSeconds).toMatchObject({ dut: 3, runner: 0 });
});

test("what a process used meanwhile is counted to the nanosecond, unless a thread of it has ended", () => {
  const before = aProcess("agent", 1.0151, 1);
  expect(ownSecondsOf(aProcess("agent", 1.0391, 1.02), before)).toBeCloseTo(0.024, 6);
  expect(ownSecondsOf(aProcess("agent", 0.5, 1.12), before)).toBeCloseTo(0.1, 6);
});
