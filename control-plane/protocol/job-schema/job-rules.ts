import { asMapping, type Finding } from "#protocol/schema-parts.ts";
import { timeoutSeconds } from "#protocol/timeouts.ts";
import { has } from "./choices.ts";

/** The rules between keys of the full schema, at both strengths (JOB.md 1). The job may be anything. */
export function jobFindings(job: unknown): Finding[] {
  const mapping = asMapping(job);
  if (!mapping) return [];
  const blocks = blocksOf(mapping["actions"]);
  return [
    ...longTimeouts(mapping["timeouts"], blocks),
    ...multinodeFindings(mapping, blocks),
    ...namespaceFindings(blocks),
  ];
}

interface Block {
  path: (string | number)[];
  body: Record<string, unknown>;
}

const KINDS = ["deploy", "boot", "test", "command"];

function blocksOf(actions: unknown): Block[] {
  const items: unknown[] = Array.isArray(actions) ? actions : [];
  return items.flatMap((item, index) =>
    KINDS.flatMap((kind) => {
      const body = asMapping(asMapping(item)?.[kind]);
      return body ? [{ path: ["actions", index, kind], body }] : [];
    }),
  );
}

/** Rule 1: in whole seconds; the queue's time-out and those of a block's sub-actions are not compared. */
function longTimeouts(timeouts: unknown, blocks: readonly Block[]): Finding[] {
  const own = asMapping(timeouts) ?? {};
  const limit = secondsOf(own["job"]);
  if (limit === undefined) return [];
  const named = ["actions", "connections"].flatMap((kind) =>
    Object.entries(asMapping(own[kind]) ?? {}).map(([name, timeout]) => ({
      path: ["timeouts", kind, name],
      timeout,
    })),
  );
  const all = [
    { path: ["timeouts", "action"], timeout: own["action"] },
    { path: ["timeouts", "connection"], timeout: own["connection"] },
    ...named,
    ...blocks.map(({ path, body }) => ({ path: [...path, "timeout"], timeout: body["timeout"] })),
  ];
  const message = `it is longer than the whole job's time-out of ${limit} s`;
  return all
    .filter(({ timeout }) => (secondsOf(timeout) ?? 0) > limit)
    .map(({ path }) => ({ path, message }));
}

/** Undefined when it is no time-out, which the schema tells. */
function secondsOf(timeout: unknown): number | undefined {
  const mapping = asMapping(timeout);
  if (!mapping) return undefined;
  const { days, hours, minutes, seconds } = mapping;
  const units = { days, hours, minutes, seconds };
  const numbers = Object.entries(units).map(([unit, value]) => [unit, Number(value ?? 0)]);
  const total = timeoutSeconds(Object.fromEntries(numbers));
  return Number.isFinite(total) ? total : undefined;
}

/** Rule 2: the roles have these keys then, and every action names its roles. */
function multinodeFindings(job: Record<string, unknown>, blocks: readonly Block[]): Finding[] {
  const multinode = asMapping(asMapping(job["protocols"])?.["lava-multinode"]) ?? {};
  if (Object.keys(multinode).length === 0) {
    if (has(job, "device_type")) return [];
    return [{ path: ["device_type"], message: 'the key "device_type" is missing' }];
  }
  const moved = OF_ROLES.filter((key) => !isEmpty(job[key])).map((key) => ({
    path: [key],
    message: "in a multinode job this belongs to the roles: move it there",
  }));
  const message = 'the key "role" is missing: in a multinode job every action names its roles';
  const nameless = blocks.filter(({ body }) => !has(body, "role"));
  return [...moved, ...nameless.map(({ path }) => ({ path: [...path, "role"], message }))];
}

const OF_ROLES = ["device_type", "environment", "context", "tags"];

function isEmpty(value: unknown): boolean {
  if (value === undefined || value === "") return true;
  return typeof value === "object" && Object.keys(value ?? {}).length === 0;
}

/** Rule 3. */
function namespaceFindings(blocks: readonly Block[]): Finding[] {
  const missing = blocks.filter(({ body }) => !has(body, "namespace"));
  if (missing.length === blocks.length) return [];
  const message = 'the key "namespace" is missing: when one action has a namespace, all must';
  return missing.map(({ path }) => ({ path: [...path, "namespace"], message }));
}

const everyAction = (condition: object) => ({
  actions: { items: { properties: Object.fromEntries(KINDS.map((kind) => [kind, condition])) } },
});

const MULTINODE = {
  required: ["protocols"],
  properties: {
    protocols: {
      required: ["lava-multinode"],
      properties: { "lava-multinode": { type: "object", minProperties: 1 } },
    },
  },
};

/** Rules 2 and 3 in JSON Schema; rule 1 can't be said there. */
export const RULES_IN_JSON = [
  {
    anyOf: [
      { not: MULTINODE, required: ["device_type"] },
      {
        ...MULTINODE,
        properties: {
          ...MULTINODE.properties,
          device_type: { maxLength: 0 },
          environment: { maxProperties: 0 },
          context: { maxProperties: 0 },
          tags: { maxItems: 0 },
          ...everyAction({ required: ["role"] }),
        },
      },
    ],
  },
  {
    anyOf: [
      { properties: everyAction({ required: ["namespace"] }) },
      { properties: everyAction({ not: { required: ["namespace"] } }) },
    ],
  },
];
