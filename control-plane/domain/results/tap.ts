import type { ResultView } from "#protocol/api.ts";

/**
 * A test case as a line of TAP 13 (SCHEDULER.md 9): a skipped one is ok with the directive, an unknown one not ok but to do.
 * What a failed attempt left is to do as well: another one followed.
 */
export function tapLine(number: number, view: ResultView): string {
  const { suite, set, name, result, retried, attempt } = view;
  const ok = result === "pass" || result === "skip" ? "ok" : "not ok";
  const directive = retried
    ? ` # TODO failed attempt ${escaped(attempt ?? "")}`.trimEnd()
    : (DIRECTIVES[result] ?? "");
  const what = set === undefined ? `${suite} ${name}` : `${suite} ${set} ${name}`;
  return `${ok} ${number} - ${escaped(what)}${directive}\n`;
}

const DIRECTIVES: Partial<Record<ResultView["result"], string>> = {
  skip: " # SKIP",
  unknown: " # TODO unknown result",
};

/** A `#` would begin a directive, a line end another test. */
const escaped = (text: string): string =>
  text
    .replace(/[\\#]/g, "\\$&")
    // oxlint-disable-next-line no-control-regex
    .replace(/[\u0000-\u001f\u007f]+/g, " ");
