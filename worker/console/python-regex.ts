import { JobFailure } from "../pipeline/job-failure.ts";

/**
 * A regular expression of a LAVA file, which is Python's, as JavaScript's. `g` is always set, for
 * searching from a place; `s` (DOTALL) is how LAVA waits for prompts, `m` how it parses results.
 *
 * @throws JobFailure Test when it can't be (DISPATCHER.md 5.3).
 */
export function pythonRegex(source: string, mode: "prompt" | "parse" = "prompt"): RegExp {
  const inline = /^\(\?([aimsxLu]+)\)/.exec(source);
  const flags = new Set(["g", mode === "prompt" ? "s" : "m"]);
  for (const flag of inline?.[1] ?? "") {
    if ("ims".includes(flag)) flags.add(flag);
    else if (flag === "x") throw invalid(source, "verbose mode (?x) is not supported");
  }
  const body = source
    .slice(inline?.[0].length ?? 0)
    .replace(TOKEN, (token: string, ...groups) => translate(token, groups.at(-1) as Groups));
  try {
    return new RegExp(body, [...flags].join(""));
  } catch (error) {
    throw invalid(source, error instanceof Error ? error.message : String(error));
  }
}

/** What Python writes in another way, and what may contain the like without meaning it. */
const TOKEN =
  /\\.|\(\?P<(?<name>[A-Za-z_]\w*)>|\(\?P=(?<reference>[A-Za-z_]\w*)\)|\(\?#[^)]*\)|\[(?<not>\^?)(?<first>\]?)(?<set>(?:\\.|[^\]\\])*)\]|\{,(?<most>\d+)\}/gs;

type Groups = Readonly<Record<"name" | "reference" | "not" | "first" | "set" | "most", string>>;

/** Only letters and digits that mean themselves: text to be found as it is. */
export const literalRegex = (text: string): RegExp =>
  new RegExp(text.replace(/[\\^$.*+?()[\]{}|/-]/g, "\\$&"), "g");

function translate(token: string, groups: Groups): string {
  if (groups.name !== undefined) return `(?<${groups.name}>`;
  if (groups.reference !== undefined) return `\\k<${groups.reference}>`;
  if (groups.most !== undefined) return `{0,${groups.most}}`;
  // A `]` that comes first is one of the set's characters in Python.
  if (token.startsWith("[")) return `[${groups.not}${groups.first && "\\]"}${groups.set}]`;
  if (token.startsWith("(?#")) return "";
  if (token === "\\A") return "(?<![\\s\\S])";
  if (token === "\\Z") return "(?![\\s\\S])";
  return token;
}

const invalid = (source: string, why: string): JobFailure =>
  new JobFailure("Test", `Invalid regular expression ${JSON.stringify(source)}: ${why}`);
