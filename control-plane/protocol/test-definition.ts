import * as v from "valibot";
import type { SourceProblem } from "./api.ts";
import { readYaml, type SourcePath, type SourcePosition } from "./read-yaml.ts";
import { anyMapping, listOf, loose, mapOf, oneOf, text } from "./schema-parts.ts";
import { sourceProblems } from "./source-problems.ts";

/** Steps and names that YAML reads as numbers are text all the same; nothing (`-`) is allowed and skipped. */
const word = v.pipe(
  v.nullable(v.union([v.string(), v.number(), v.boolean()], "expected text")),
  v.transform((value) => (value === null ? "" : String(value))),
);

const gitRepo = v.union(
  [v.string(), loose({ url: text, branch: v.optional(text), destination: v.optional(text) })],
  "expected a URL or a mapping {url, branch, destination}",
);

/** A test definition file (JOB.md 7.1, TEST-SHELL.md 4); keys that LAVA doesn't know are allowed. */
const testDefinitionSchema = loose({
  metadata: loose({
    format: text,
    name: text,
    description: v.optional(v.unknown()),
    os: v.optional(v.unknown()),
  }),
  install: v.optional(
    loose({
      keys: v.optional(listOf(word)),
      sources: v.optional(listOf(word)),
      deps: v.optional(listOf(word)),
      steps: v.optional(listOf(word)),
      "git-repos": v.optional(listOf(gitRepo)),
    }),
  ),
  run: v.optional(loose({ steps: v.optional(v.nullable(listOf(word))) })),
  parameters: v.optional(v.nullable(anyMapping)),
  params: v.optional(v.nullable(anyMapping)),
  parse: v.optional(
    loose({
      pattern: v.optional(text),
      fixupdict: v.optional(mapOf(oneOf("pass", "fail", "skip", "unknown"))),
    }),
  ),
  expected: v.optional(listOf(text)),
});
export type TestDefinition = v.InferOutput<typeof testDefinitionSchema>;

export interface ReadTestDefinition {
  definition?: TestDefinition;
  problems: SourceProblem[];
}

/** Reads a test definition from its text, or checks one that stands inline in a job. Never throws. */
export function readTestDefinition(source: string | object): ReadTestDefinition {
  if (typeof source === "string") {
    const { value, problems, locate } = readYaml(source);
    return problems.length > 0 ? { problems } : check(value, locate);
  }
  return check(source, () => ({ line: 1, column: 1 }));
}

function check(value: unknown, locate: (path: SourcePath) => SourcePosition): ReadTestDefinition {
  const result = v.safeParse(testDefinitionSchema, value);
  if (result.success) return { definition: result.output, problems: [] };
  return { problems: sourceProblems(result.issues, locate) };
}
