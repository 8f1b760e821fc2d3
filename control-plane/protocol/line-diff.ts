interface Step {
  sign: " " | "-" | "+";
  line: string;
}

/** Lines shown around a change. */
const AROUND = 2;
/** Larger middles are told as replaced; a comparison costs the product of their lines. */
const MAX_CELLS = 1_000_000;

/** What differs between two texts, as `diff -u` tells it but for the names of the files. Empty when nothing does. */
export function lineDiff(from: string, to: string): string[] {
  const steps = stepsBetween(linesOf(from), linesOf(to));
  const isShown = steps.map((_, index) =>
    steps.slice(Math.max(0, index - AROUND), index + AROUND + 1).some(({ sign }) => sign !== " "),
  );
  const lines: string[] = [];
  let [oldLine, newLine] = [1, 1];
  for (const [index, { sign, line }] of steps.entries()) {
    if (isShown[index] && !isShown[index - 1]) lines.push(`@@ -${oldLine} +${newLine} @@`);
    if (isShown[index]) lines.push(`${sign}${line}`);
    if (sign !== "+") oldLine += 1;
    if (sign !== "-") newLine += 1;
  }
  return lines;
}

/** A carriage return and a missing last line end are differences too, and shown. */
function linesOf(text: string): string[] {
  if (text === "") return [];
  const lines = text.split("\n").map((line) => line.replace(/\r$/, "␍"));
  if (lines.at(-1) === "") return lines.slice(0, -1);
  return [...lines.slice(0, -1), `${lines.at(-1)}␄`];
}

function stepsBetween(from: readonly string[], to: readonly string[]): Step[] {
  let start = 0;
  while (start < Math.min(from.length, to.length) && from[start] === to[start]) start += 1;
  let [fromEnd, toEnd] = [from.length, to.length];
  while (Math.min(fromEnd, toEnd) > start && from[fromEnd - 1] === to[toEnd - 1]) {
    fromEnd -= 1;
    toEnd -= 1;
  }
  const same = (lines: readonly string[]) => lines.map((line) => ({ sign: " ", line }) as const);
  return [
    ...same(from.slice(0, start)),
    ...middle(from.slice(start, fromEnd), to.slice(start, toEnd)),
    ...same(from.slice(fromEnd)),
  ];
}

/** By the longest common subsequence: `common[i][j]` is its length from line i and line j on. */
function middle(from: readonly string[], to: readonly string[]): Step[] {
  const width = to.length + 1;
  const fits = (from.length + 1) * width <= MAX_CELLS;
  const common = new Uint32Array(fits ? (from.length + 1) * width : 0);
  const at = (i: number, j: number): number => common[i * width + j] ?? 0;
  for (let i = fits ? from.length - 1 : -1; i >= 0; i--) {
    for (let j = to.length - 1; j >= 0; j--) {
      common[i * width + j] =
        from[i] === to[j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1));
    }
  }
  const steps: Step[] = [];
  let [i, j] = [0, 0];
  while (i < from.length || j < to.length) {
    const [old, next] = [from[i], to[j]];
    if (fits && old !== undefined && old === next) {
      steps.push({ sign: " ", line: old });
      i += 1;
      j += 1;
    } else if (old !== undefined && (next === undefined || at(i + 1, j) >= at(i, j + 1))) {
      steps.push({ sign: "-", line: old });
      i += 1;
    } else if (next !== undefined) {
      steps.push({ sign: "+", line: next });
      j += 1;
    }
  }
  return steps;
}
