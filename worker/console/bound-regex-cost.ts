import v8 from "node:v8";

/**
 * Bounds what a regular expression of a job can cost: a search that goes back too often is done anew by
 * V8's engine whose cost grows with the text only, where the pattern is one that it can do (no look-around,
 * no back-references). Without this `(x+x+)+y` stops the runner for as long as it likes. Other runtimes
 * have bounds of their own.
 */
export function boundRegexCost(): void {
  try {
    v8.setFlagsFromString("--enable-experimental-regexp-engine-on-excessive-backtracks");
  } catch {
    // Not V8.
  }
}
