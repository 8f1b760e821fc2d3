import { expect, test } from "vitest";
import { floodIn } from "../../scripts/benchmarks/worker-flood.ts";
import { workerLab } from "../../scripts/benchmarks/worker-lab.ts";
import { onNode } from "../../scripts/benchmarks/worker-subject.ts";

const NONE = { lost: 0, doubled: 0, disordered: 0 };

test("what a DUT prints as fast as it can is at the control plane, each line once and in order", async () => {
  const lab = await workerLab(onNode(), 1);
  try {
    // More than a chunk's records, no multiple of anything.
    expect(await floodIn(lab, 30_011)).toMatchObject({ lines: 30_011, ...NONE });
    // The next job begins at a first line of its own.
    expect(await floodIn(lab, 1)).toMatchObject({ lines: 1, ...NONE });
  } finally {
    await lab.close();
  }
});
