import * as v from "valibot";
import type { SourceProblem } from "./api.ts";
import { actionSchema, timeoutSchema } from "./job-actions.ts";
import { contextSchema } from "./job-context.ts";
import { multinodeFindings } from "./multinode-roles.ts";
import { readYaml, type ReadYaml, type SourcePath, type SourcePosition } from "./read-yaml.ts";
import { retryOnSchema } from "./retry-on.ts";
import {
  anyMapping,
  asMapping,
  flag,
  integer,
  listOf,
  loose,
  mapOf,
  nonEmptyText,
  oneOf,
  rule,
  strict,
  text,
} from "./schema-parts.ts";
import { sourceProblems } from "./source-problems.ts";

const namedTimeouts = mapOf(
  timeoutSchema,
  v.pipe(v.string(), v.regex(/^[a-z-]+$/, "expected an action's name: lower-case letters and -")),
);

const timeoutsSchema = strict({
  job: timeoutSchema,
  action: v.optional(timeoutSchema),
  connection: v.optional(timeoutSchema),
  queue: v.optional(timeoutSchema),
  actions: v.optional(namedTimeouts),
  connections: v.optional(namedTimeouts),
});

const callbackSchema = loose({
  url: text,
  method: v.optional(oneOf("GET", "POST")),
  token: v.optional(text),
  dataset: v.optional(oneOf("minimal", "logs", "results", "all")),
  "content-type": v.optional(oneOf("json", "urlencoded")),
});

/** JOB.md 9, as strong as the gate. */
export const notifySchema = v.pipe(
  loose({
    criteria: loose({
      status: oneOf("running", "complete", "incomplete", "canceled", "finished", "all"),
      dependency_query: v.optional(text),
      type: v.optional(oneOf("progression", "regression")),
    }),
    recipients: v.optional(
      listOf(
        strict({
          to: strict({
            method: oneOf("email", "irc"),
            user: v.optional(text),
            email: v.optional(text),
            server: v.optional(text),
            handle: v.optional(text),
          }),
        }),
      ),
    ),
    callback: v.optional(callbackSchema),
    callbacks: v.optional(listOf(callbackSchema)),
    verbosity: v.optional(oneOf("verbose", "quiet", "status-only")),
    compare: v.optional(
      loose({
        query: v.optional(
          v.union(
            [
              strict({ username: text, name: text }),
              strict({ entity: text, conditions: v.optional(anyMapping) }),
            ],
            "expected {username, name} or {entity, conditions}",
          ),
        ),
        blacklist: v.optional(listOf(text)),
      }),
    ),
  }),
  v.check(
    (notify) => notify.callback === undefined || notify.callbacks === undefined,
    "expected callback or callbacks, not both",
  ),
);

const priorities = { low: 0, medium: 50, high: 100 } as const;
const anyPriority = "expected low, medium, high or a whole number from 0 to 100";
const prioritySchema = v.union(
  [
    v.picklist(["low", "medium", "high"]),
    v.pipe(integer, v.minValue(0, anyPriority), v.maxValue(100, anyPriority)),
  ],
  anyPriority,
);

/** The whole definition, as strong as LAVA's gate at submission (JOB.md 0, 1): what it accepts is accepted. */
const entries = {
  job_name: v.pipe(nonEmptyText, v.maxLength(200, "expected at most 200 characters")),
  device_type: v.optional(nonEmptyText),
  device: v.optional(nonEmptyText),
  worker: v.optional(nonEmptyText),
  timeouts: timeoutsSchema,
  visibility: v.union(
    [v.picklist(["public", "personal"]), strict({ group: v.optional(listOf(text)) })],
    "expected public, personal or a mapping {group: [...]}",
  ),
  priority: v.optional(prioritySchema),
  context: v.optional(contextSchema),
  metadata: v.optional(anyMapping),
  tags: v.optional(listOf(text)),
  secrets: v.optional(anyMapping),
  environment: v.optional(anyMapping),
  notify: v.optional(notifySchema),
  protocols: v.optional(
    strict({
      "lava-multinode": v.optional(
        v.pipe(
          strict({ roles: anyMapping, timeout: v.optional(timeoutSchema) }),
          rule((value) => multinodeFindings(asMapping(value)?.["roles"])),
        ),
      ),
      "lava-xnbd": v.optional(anyMapping),
    }),
  ),
  reboot_to_fastboot: v.optional(flag),
  retry_on: v.optional(retryOnSchema),
  actions: listOf(actionSchema),
};
const jobDefinitionSchema = strict(entries);
export type JobDefinition = v.InferOutput<typeof jobDefinitionSchema>;

export interface ReadJobDefinition {
  /** Undefined when there are problems. */
  definition?: JobDefinition;
  problems: SourceProblem[];
  warnings: SourceProblem[];
  locate: (path: SourcePath) => SourcePosition;
}

/** Reads a job definition from its text and says everything that LAVA's gate finds wrong with it. Never throws. */
export const readJobDefinition = (source: string): ReadJobDefinition => readJob(readYaml(source));

/** The same of a text that was read already. */
export function readJob({ value, problems, warnings, locate }: ReadYaml): ReadJobDefinition {
  if (problems.length > 0) return { problems, warnings, locate };
  const result = v.safeParse(jobDefinitionSchema, value);
  if (!result.success) {
    return { problems: sourceProblems(result.issues, locate), warnings, locate };
  }
  return { definition: result.output, problems: [], warnings, locate };
}

/**
 * What a runner reads: a job that came through the gate, or one that LAVA's server made of a multinode job, which has
 * keys that the gate refuses (`connection`, `target`, `protocols.lava-multinode.role`).
 */
const runnerJobSchema = loose({ ...entries, protocols: v.optional(anyMapping) });

/** As `readJobDefinition`, for who runs a job. Never throws. */
export function readRunnerJob(source: string): ReadJobDefinition {
  const { value, problems, warnings, locate } = readYaml(source);
  if (problems.length > 0) return { problems, warnings, locate };
  const result = v.safeParse(runnerJobSchema, value);
  if (result.success) {
    return { definition: result.output as JobDefinition, problems: [], warnings, locate };
  }
  return { problems: sourceProblems(result.issues, locate), warnings, locate };
}

/**
 * What a job adds to its device's configuration; empty for a text that is no job. Most are known to add nothing without being read, which
 * takes a third of a millisecond: a key is written as it is, unless an escape in quotes hides it.
 */
export function readContext(source: string): Readonly<Record<string, unknown>> {
  if (!/context|\\/.test(source)) return {};
  return readRunnerJob(source).definition?.context ?? {};
}

/** A definition's priority as LAVA's number, 0 to 100 (JOB.md 1). */
export function priorityNumber(priority: JobDefinition["priority"]): number {
  return typeof priority === "number" ? priority : priorities[priority ?? "medium"];
}
