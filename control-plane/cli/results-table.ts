import type { ResultView } from "#protocol/api.ts";
import { table, type Colour, type Terminal } from "./terminal.ts";

export const RESULT_COLOURS: { readonly [result: string]: Colour } = {
  pass: "green",
  fail: "red",
  skip: "yellow",
  unknown: "yellow",
};

/** A job's test cases; the lab's own suite `lava` only where something failed, and the job itself. */
export function resultTable(terminal: Terminal, results: readonly ResultView[]): string {
  const rows = results
    .filter(({ suite, name, result }) => suite !== "lava" || name === "job" || result === "fail")
    .map(({ suite, set, name, result, measurement, units, retried, attempt = "" }) => [
      suite,
      (set ? `${set}/${name}` : name) + (retried ? ` (failed attempt ${attempt})` : ""),
      { text: result, colour: RESULT_COLOURS[result] },
      measurement === undefined ? "" : `${measurement} ${units ?? ""}`.trim(),
    ]);
  return table(terminal, ["SUITE", "CASE", "RESULT", "MEASUREMENT"], rows);
}
