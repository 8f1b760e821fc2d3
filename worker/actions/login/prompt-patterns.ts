import { pythonRegex } from "../../console/python-regex.ts";

/** A job's prompts by name, for `Console.expect`. */
export function promptPatterns(prompts: readonly string[]): Record<string, RegExp> {
  return Object.fromEntries(
    prompts.map((prompt, index) => [`prompt ${index}`, pythonRegex(prompt)]),
  );
}
