import { JobFailure } from "../pipeline/job-failure.ts";

/**
 * A regular expression of a LAVA file, which is Python's, as JavaScript's. `g` is always set, for
 * searching from a place; `s` (DOTALL) is how LAVA waits for prompts, `m` how it parses results, which are
 * found in lines that have ended.
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
    .replace(/\\.|\(\?P<([A-Za-z_]\w*)>|\(\?P=([A-Za-z_]\w*)\)|\(\?#[^)]*\)/gs, translate);
  // Of a line that is still being printed a pattern would find the beginning of a word.
  const whole = mode === "parse" ? `(?:${body})(?=[^\\n]*\\n)` : body;
  try {
    return new RegExp(whole, [...flags].join(""));
  } catch (error) {
    throw invalid(source, error instanceof Error ? error.message : String(error));
  }
}

/** Only letters and digits that mean themselves: text to be found as it is. */
export const literalRegex = (text: string): RegExp =>
  new RegExp(text.replace(/[\\^$.*+?()[\]{}|/-]/g, "\\$&"), "g");

function translate(token: string, name: string | undefined, reference: string | undefined): string {
  if (name !== undefined) return `(?<${name}>`;
  if (reference !== undefined) return `\\k<${reference}>`;
  if (token.startsWith("(?#")) return "";
  if (token === "\\A") return "(?<![\\s\\S])";
  if (token === "\\Z") return "(?![\\s\\S])";
  return token;
}

const invalid = (source: string, why: string): JobFailure =>
  new JobFailure("Test", `Invalid regular expression ${JSON.stringify(source)}: ${why}`);
