import * as v from "valibot";
import {
  anyMapping,
  flag,
  integer,
  listOf,
  loose,
  mapOf,
  may,
  oneOf,
  strict,
  text,
} from "./schema-parts.ts";

/**
 * The blocks of `actions` with the strength of LAVA's gate at submission (JOB.md 0 and 4 to 7): bodies may
 * have further keys; those that are known have their type.
 */

const units = ["days", "hours", "minutes", "seconds"] as const;

/** JOB.md 2; at most one unit, none means LAVA's default. */
export const timeoutSchema = v.pipe(
  strict({
    days: v.optional(integer),
    hours: v.optional(integer),
    minutes: v.optional(integer),
    seconds: v.optional(integer),
    skip: v.optional(flag),
  }),
  v.check(
    (timeout) => units.filter((unit) => timeout[unit] !== undefined).length <= 1,
    "expected one unit only, of days, hours, minutes, seconds",
  ),
);

/** A name; the gate takes anything for one, `namespace: 1` too, and an empty `namespace:` is none. */
const namespace = v.pipe(
  v.unknown(),
  v.transform((name) => (name === null ? undefined : String(name))),
);

/** Keys that any block may have (JOB.md 4). The gate checks only `timeout`. */
const common = {
  timeout: v.optional(timeoutSchema),
  timeouts: v.optional(v.unknown()),
  namespace: v.optional(namespace),
  "connection-namespace": v.optional(namespace),
  failure_retry: v.optional(v.unknown()),
  failure_retry_interval: v.optional(v.unknown()),
  repeat: v.optional(v.unknown()),
  role: v.optional(v.unknown()),
};

/** JOB.md 5.1: an artifact with its place and its checks. The gate does not look inside deploy blocks. */
const deploySchema = loose({ ...common, to: text });

const bootSchema = loose({
  ...common,
  method: text,
  auto_login: v.optional(
    strict({
      login_prompt: text,
      username: text,
      password_prompt: v.optional(text),
      password: v.optional(text),
      login_commands: v.optional(listOf(v.unknown())),
    }),
  ),
  parameters: v.optional(mapOf(v.union([v.string(), v.boolean()], "expected text, true or false"))),
  commands: v.optional(v.union([v.string(), v.array(v.unknown())], "expected text or a list")),
});

const commandSchema = loose({ ...common, namespace: v.optional(text), name: text });

const suiteName = v.pipe(
  text,
  v.regex(/^[a-zA-Z0-9-_]+$/, "expected letters, digits, - and _ only"),
);

const definitionSchema = v.pipe(
  loose({
    from: text,
    name: text,
    path: text,
    repository: v.union(
      [
        v.string(),
        strict({
          metadata: v.optional(anyMapping),
          install: v.optional(anyMapping),
          run: v.optional(anyMapping),
          parse: v.optional(anyMapping),
        }),
      ],
      "expected a URL, or an inline test definition of metadata, install, run and parse",
    ),
    parameters: v.optional(anyMapping),
    timeout: v.optional(timeoutSchema),
  }),
  v.check(
    (definition) => !("revision" in definition && definition["shallow"] === true),
    "a revision can't be had from a shallow clone: remove `shallow: true`",
  ),
);

const monitorSchema = strict({
  name: suiteName,
  start: text,
  end: text,
  pattern: text,
  fixupdict: v.optional(anyMapping),
  expected: v.optional(listOf(text)),
});

const nonEmpty = v.pipe(text, v.nonEmpty("expected text that is not empty"));
const interactiveSchema = strict({
  name: suiteName,
  prompts: listOf(nonEmpty),
  echo: v.optional(oneOf("discard")),
  expected: v.optional(listOf(nonEmpty)),
  script: listOf(
    strict({
      name: v.optional(suiteName),
      command: v.optional(v.nullable(text)),
      delay: v.optional(integer),
      "lava-send": v.optional(text),
      "lava-sync": v.optional(text),
      "lava-wait": v.optional(text),
      "lava-wait-all": v.optional(text),
      wait_for_prompt: v.optional(flag),
      failures: v.optional(
        listOf(
          strict({
            message: text,
            exception: v.optional(oneOf("InfrastructureError", "JobError", "TestError")),
            error: v.optional(text),
          }),
        ),
      ),
      successes: v.optional(listOf(strict({ message: text }))),
    }),
  ),
});

const serviceSchema = loose({
  name: text,
  from: text,
  repository: text,
  path: text,
  service: v.optional(text),
  timeout: v.optional(timeoutSchema),
});

const testKinds = {
  definitions: listOf(definitionSchema),
  interactive: listOf(interactiveSchema),
  monitors: listOf(monitorSchema),
  services: listOf(serviceSchema),
};
type TestKind = keyof typeof testKinds;
const kindNames = Object.keys(testKinds) as TestKind[];

/** The kinds are looked up in this order (JOB.md 7); one that is well will do, and others are left out unread. */
function withOneKind(block: Record<string, unknown>): Record<string, unknown> {
  const present = kindNames.filter((kind) => block[kind] !== undefined);
  if (present.length < 2) return block;
  const used = present.find((kind) => v.is(testKinds[kind], block[kind])) ?? present[0];
  const unused = present.filter((kind) => kind !== used);
  return Object.fromEntries(
    Object.entries(block).filter(([key]) => !unused.some((kind) => kind === key)),
  );
}

const testSchema = v.pipe(
  loose({}),
  v.transform(withOneKind),
  loose({ ...common, ...may(testKinds) }),
  v.check(
    (block) => kindNames.some((kind) => block[kind] !== undefined),
    `expected one of the keys ${kindNames.join(", ")}`,
  ),
);

const kinds = { deploy: deploySchema, boot: bootSchema, test: testSchema, command: commandSchema };

/** One item of `actions`: a mapping whose first key says what it is. An empty one is let in, and fails when run. */
export const actionSchema = strict(may(kinds));

export type Timeout = v.InferOutput<typeof timeoutSchema>;
export type DeployBlock = v.InferOutput<typeof deploySchema>;
export type BootBlock = v.InferOutput<typeof bootSchema>;
export type TestBlock = v.InferOutput<typeof testSchema>;
export type CommandBlock = v.InferOutput<typeof commandSchema>;
export type JobAction = v.InferOutput<typeof actionSchema>;
export type TestDefinitionEntry = v.InferOutput<typeof definitionSchema>;
