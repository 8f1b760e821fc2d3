import { expect, test } from "vitest";
import type { Process } from "../../scripts/benchmarks/table/process-tree.ts";
import type { Side } from "../../scripts/benchmarks/table/sides.ts";
import { watched, type Role } from "../../scripts/benchmarks/table/watch.ts";

test("what a DUT used stays the DUT's when it ends and its command line is gone", async () => {
  const guest = (command: string, ownSeconds: number): Process => ({
    ...{ pid: process.pid, parent: 1, command, startedAt: "7", ownSeconds, endedSeconds: 0 },
  });
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
