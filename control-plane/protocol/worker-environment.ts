import * as v from "valibot";
import type { SourceProblem } from "./api.ts";
import { plainRecord } from "./plain-record.ts";
import { readYaml } from "./read-yaml.ts";

const name = v.pipe(
  v.string(),
  v.maxLength(200),
  v.regex(/^[A-Za-z_][A-Za-z0-9_]*$/, "expected the name of a variable, such as HTTP_PROXY"),
);
const value = v.pipe(
  v.union([v.string(), v.number(), v.boolean()], "expected a text or a number"),
  v.transform(String),
  v.check((text) => !text.includes("\0"), "has a NUL character"),
);
const isMapping = (found: unknown): boolean => typeof found === "object" && !Array.isArray(found);
const fields = v.object({
  purge: v.optional(v.nullable(v.boolean("expected true or false"))),
  removes: v.optional(v.nullable(v.array(name, "expected a list of names"))),
  overrides: v.optional(
    v.nullable(plainRecord(name, value, "expected a mapping of names to values")),
  ),
});
const schema = v.pipe(v.unknown(), v.check(isMapping, "expected a mapping"), fields);

/** LAVA's `env.yaml` and `env-dut.yaml` (API.md: `purge`, `removes`, `overrides`). */
export interface WorkerEnvironment {
  /** Nothing of the worker's own environment is left. */
  purge: boolean;
  removes: readonly string[];
  overrides: Readonly<Record<string, string>>;
}

/** What such a text says; with problems, nothing of it may be used. An empty text changes nothing. */
export function readWorkerEnvironment(text: string): {
  environment: WorkerEnvironment;
  problems: readonly SourceProblem[];
} {
  const nothing = { purge: false, removes: [], overrides: {} };
  const read = readYaml(text);
  if (read.problems.length > 0) return { environment: nothing, problems: read.problems };
  const parsed = v.safeParse(schema, read.value ?? {});
  if (parsed.success) {
    const { purge, removes, overrides } = parsed.output;
    return {
      environment: { purge: purge ?? false, removes: removes ?? [], overrides: overrides ?? {} },
      problems: [],
    };
  }
  const problems = parsed.issues.slice(0, 20).map((issue) => {
    const where = v.getDotPath(issue) ?? "";
    const keys = (issue.path ?? []).map(({ key }) => key as string | number);
    return {
      path: where,
      ...read.locate(keys),
      message: where === "" ? issue.message : `${where}: ${issue.message}`,
    };
  });
  return { environment: nothing, problems };
}
