import type * as v from "valibot";
import type { SourceProblem } from "./api.ts";
import { issueWords } from "./issue-words.ts";
import { pathText, type SourcePath, type SourcePosition } from "./read-yaml.ts";

/** At most this many problems of one text are told. */
const MAX_PROBLEMS = 50;

/** What a schema found wrong, each with its place in the text, in the order of the text. */
export function sourceProblems(
  issues: readonly v.BaseIssue<unknown>[],
  locate: (path: SourcePath) => SourcePosition,
): SourceProblem[] {
  return issues
    .slice(0, MAX_PROBLEMS)
    .map((issue) => {
      const path = (issue.path ?? []).map((item) => item.key as string | number);
      return { path: pathText(path), ...locate(path), message: sentence(issue) };
    })
    .toSorted((a, b) => a.line - b.line || a.column - b.column);
}

function sentence(issue: v.BaseIssue<unknown>): string {
  const key = issue.path?.at(-1)?.key as string | number | undefined;
  // Of a missing key the object around it complains, in valibot's words.
  if (issue.received === "undefined" && issue.kind === "schema" && key !== undefined) {
    return `the key ${JSON.stringify(String(key))} is missing`;
  }
  // The same of a key that nobody knows.
  if (issue.type === "strict_object" && issue.message.startsWith("Invalid key")) {
    return `unknown key ${JSON.stringify(String(key))}`;
  }
  const found = issue.kind === "schema" ? `, found ${foundText(issue.input)}` : "";
  return issue.message.startsWith("expected") ? `${issue.message}${found}` : issueWords(issue);
}

/** What stands there, in the words of YAML. */
function foundText(input: unknown): string {
  if (input === null || input === undefined) return "nothing";
  if (Array.isArray(input)) return "a list";
  if (typeof input === "object") return "a mapping";
  const shown = JSON.stringify(input);
  return shown.length > 60 ? `${shown.slice(0, 60)}…` : shown;
}
