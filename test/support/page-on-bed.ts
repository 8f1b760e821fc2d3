import type { Bed } from "../beds/bed.ts";

/**
 * A page's dictionary on a bed: the page's own words, and the bed's for what stands in a rack (its console, its power) and
 * for `more` variables.
 */
export function pageOnBed(page: string, bed: Bed, more: readonly string[] = []): string {
  const ofTheRack = [
    "connection_command",
    "hard_reset_command",
    "power_on_command",
    "power_off_command",
  ];
  const taken = new Set([...ofTheRack, ...more]);
  const isTaken = (line: string): boolean => taken.has(/^\{% set (\w+) /.exec(line)?.[1] ?? "");
  const own = bed.dictionary.split("\n").filter(isTaken);
  const [first = "", ...rest] = page.split("\n");
  return [first, ...own, ...rest.filter((line) => !isTaken(line))].join("\n");
}
