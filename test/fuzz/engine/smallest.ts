import { targetOf } from "../targets.ts";
import { startCoverage } from "./coverage.ts";

/** Of each target: a corpus is replayed in every run of the tests. */
const MOST_BYTES = 30_000;

/** Few and small inputs that together run what all of them run, the smallest first. */
export async function smallest(name: string, inputs: readonly Uint8Array[]): Promise<Uint8Array[]> {
  const on = await (await targetOf(name)).open();
  const coverage = startCoverage();
  const kept: Uint8Array[] = [];
  let bytes = 0;
  try {
    for (const input of inputs.toSorted((one, other) => one.length - other.length)) {
      // Told by the run that found it.
      await Promise.resolve(on.run(input)).catch(() => {});
      if (!coverage.hasNew()) continue;
      bytes += input.length;
      if (bytes > MOST_BYTES) break;
      kept.push(input);
    }
  } finally {
    coverage.stop();
    await on.close?.();
  }
  return kept;
}
