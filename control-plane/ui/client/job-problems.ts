import type { Diagnostic } from "@codemirror/lint";
import type { Text } from "@codemirror/state";
import type { SourceProblem } from "#protocol/api.ts";
import type { CheckedJob } from "#protocol/dry-run.ts";
import { get } from "./page-parts.ts";

const MOST_SHOWN = 50;

/** A problem as a mark of the editor: over the word where it stands; with a way to mend it, where one is known. */
export function diagnosticOf(
  doc: Text,
  { line, column, message }: SourceProblem,
  severity: "error" | "warning",
): Diagnostic {
  const at = doc.line(Math.min(Math.max(1, line), doc.lines));
  const from = Math.min(at.from + Math.max(0, column - 1), at.to);
  const word = /^[^\s:,[\]{}]+/.exec(at.text.slice(from - at.from))?.[0] ?? "";
  const to = word === "" ? at.to : from + word.length;
  const better = /did you mean ([\w./-]+)\?/.exec(message)?.[1];
  return {
    ...{ from, to, severity, message },
    ...(better === undefined || word === ""
      ? {}
      : {
          actions: [
            {
              name: `Change to ${better}`,
              apply: (view, start, end) =>
                view.dispatch({ changes: { from: start, to: end, insert: better } }),
            },
          ],
        }),
  };
}

/** Lists what a check has found beside the editor; undefined: there is nothing to say, or the check failed and `why` says it. */
export function showVerdict(verdict: CheckedJob | undefined, why?: string): void {
  const box = get("check");
  if (!verdict) {
    box.replaceChildren(...(why === undefined ? [] : [status("idle", `Not checked: ${why}`)]));
    return;
  }
  const { problems, warnings, notes } = verdict;
  box.replaceChildren(
    verdictOf(problems.length, warnings.length),
    ...list(problems, "bad"),
    ...list(warnings, "warn"),
    ...notes.map((note) => made("p", "notice warn", note)),
  );
}

const MARKS = { good: "✓", warn: "!", bad: "✕", idle: "·" } as const;

function verdictOf(problems: number, warnings: number): HTMLElement {
  if (problems > 0) return status("bad", problems === 1 ? "One problem" : `${problems} problems`);
  if (warnings === 0) return status("good", "No problems");
  return status(
    "warn",
    `Will be taken, with ${warnings === 1 ? "a warning" : `${warnings} warnings`}`,
  );
}

function status(tone: keyof typeof MARKS, text: string): HTMLElement {
  const line = made("p", "verdict");
  line.role = "status";
  const word = made("span", `status ${tone}`);
  const mark = made("i", "", MARKS[tone]);
  mark.ariaHidden = "true";
  word.append(mark, text);
  line.append(word);
  return line;
}

function list(problems: readonly SourceProblem[], tone: "bad" | "warn"): HTMLElement[] {
  if (problems.length === 0) return [];
  const items = problems.slice(0, MOST_SHOWN).map(({ line, column, path, message }) => {
    const link = document.createElement("a");
    link.href = "#editor";
    link.dataset["line"] = String(line);
    link.dataset["column"] = String(column);
    link.textContent = `Line ${line}, column ${column}`;
    const item = document.createElement("li");
    item.append(link, ...(path ? [" ", made("code", "", path)] : []), made("p", "", message));
    return item;
  });
  const all = made("ol", `found ${tone}-list`);
  all.ariaLabel = tone === "bad" ? "Problems" : "Warnings";
  all.append(...items);
  const more = problems.length - MOST_SHOWN;
  return more > 0 ? [all, made("p", "muted", `and ${more} more`)] : [all];
}

function made(tag: string, className: string, text = ""): HTMLElement {
  const element = document.createElement(tag);
  if (className !== "") element.className = className;
  element.textContent = text;
  return element;
}
