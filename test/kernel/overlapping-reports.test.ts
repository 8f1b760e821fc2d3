import { expect, test } from "vitest";
import { goldenLines, inShort, reportsIn } from "./kernel-logs.ts";

/** A small generator: the same seed, the same numbers. */
function randomFrom(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

/** Reports of real kernels, without their prefixes. */
const REPORTS = (
  [
    ["bug-x86", 0],
    ["bug-arm64", 1],
    ["oops-panic-x86", 0],
    ["oops-panic-arm64", 0],
    ["page-fault-x86", 0],
    ["overlapping-warnings-x86", 0],
    ["lockups-x86", 0],
    ["lockups-x86", 1],
    ["hung-task-x86", 0],
    ["atomic-x86", 0],
    ["oom-x86", 0],
  ] as const
).map(([name, index]) => {
  const lines = goldenLines(name);
  const report = reportsIn(lines)[index];
  if (!report) throw new Error(`no report ${index} in ${name}`);
  return report.lines.map((line) => line.replace(/^.*?\[ *\d+\.\d{6}\] /, ""));
});

/** Several sequences in one, each in its own order. */
function interleaved<T>(sequences: readonly (readonly T[])[], random: (below: number) => number) {
  const left = sequences.map((sequence) => [...sequence]);
  const mixed: T[] = [];
  while (left.some(({ length }) => length > 0)) {
    const one = left[random(left.length)]?.shift();
    if (one !== undefined) mixed.push(one);
  }
  return mixed;
}

const seeds = Array.from({ length: 300 }, (_, seed) => seed);

test("each of the reports is one alone", () => {
  for (const lines of REPORTS) expect(summaryOf(lines)).toHaveLength(1);
});

const summaryOf = (lines: readonly string[]): string[] => inShort(reportsIn(lines)).toSorted();

interface Said {
  readonly text: string;
  readonly caller: number;
}

function mixOf(seed: number): { alone: string[]; mixed: Said[] } {
  const random = randomFrom(seed);
  const chosen = Array.from({ length: 2 + random(3) }, () => REPORTS[random(REPORTS.length)] ?? []);
  const noise = Array.from({ length: random(20) }, (_, n) => ({
    text: `ok ${n} a test`,
    caller: 0,
  }));
  const said = chosen.map((lines, n) => lines.map((text) => ({ text, caller: n + 1 })));
  return {
    alone: chosen.flatMap((lines) => summaryOf(lines.map((line) => `[    1.000000] ${line}`))),
    mixed: interleaved([...said, noise], random),
  };
}

test("reports of tasks that speak at once are each found once and whole, where the kernel names its callers", () => {
  for (const seed of seeds) {
    const { alone, mixed } = mixOf(seed);
    const lines = mixed.map(({ text, caller }, n) =>
      caller === 0 ? text : `[    1.${100_000 + n}][  T${caller}] ${text}`,
    );
    const reports = reportsIn(lines);
    expect(inShort(reports).toSorted(), `seed ${seed}`).toEqual(alone.toSorted());
    for (const { lines: own, firstLine } of reports) {
      const caller = mixed[firstLine]?.caller ?? 0;
      expect(own.every((line) => line.includes(`[  T${caller}]`))).toBe(true);
      expect(own).toHaveLength(mixed.filter((said) => said.caller === caller).length);
    }
  }
});

test("reports of tasks that speak at once are each found once, where the kernel does not name its callers", () => {
  for (const seed of seeds) {
    const { alone, mixed } = mixOf(seed);
    const lines = mixed.map(({ text, caller }, n) =>
      caller === 0 ? text : `[    1.${100_000 + n}] ${text}`,
    );
    const found = inShort(reportsIn(lines)).map((one) => one.replace(" (cut)", ""));
    expect(found.toSorted(), `seed ${seed}`).toEqual(alone.toSorted());
  }
});
