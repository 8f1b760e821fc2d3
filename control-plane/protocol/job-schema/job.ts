import * as v from "valibot";
import { retryOnSchema } from "#protocol/retry-on.ts";
import {
  anyMapping,
  asMapping,
  flag,
  listOf,
  mapOf,
  may,
  nonEmptyText,
  oneOf,
  rule,
  text,
  type Finding,
} from "#protocol/schema-parts.ts";
import { blocksOf, type Blocks } from "./blocks.ts";
import { bootSchemas } from "./boot.ts";
import { byWord, has } from "./choices.ts";
import { deploySchemas } from "./deploy.ts";
import { jobFindings, RULES_IN_JSON } from "./job-rules.ts";
import { notifySchema } from "./notify.ts";
import { protocolsSchema } from "./protocols.ts";
import type { Mapping, Strength } from "./strength.ts";
import { definitionSchema, testSchema } from "./test.ts";
import { atLeast, texts } from "./values.ts";

/** A job as LAVA's full schema has it (JOB.md 0 and 1), and the parts of it that are worth a name. */
export interface JobSchema {
  job: v.GenericSchema;
  parts: Record<string, v.GenericSchema>;
}

export function jobSchema(strength: Strength): JobSchema {
  const blocks = blocksOf(strength);
  const { mapping, timeout, context } = blocks;
  const deploys = deploySchemas(blocks);
  const boots = bootSchemas(blocks);
  const definition = definitionSchema(mapping);
  const kinds = {
    deploy: byWord("to", deploys),
    boot: byWord("method", boots),
    test: testSchema(blocks, definition),
    command: mapping({ ...blocks.common, name: text }),
  };
  const protocols = protocolsSchema(blocks);
  const notify = notifySchema(mapping);
  const job = mapping({
    job_name: shortText,
    timeouts: timeoutsSchema(mapping, timeout),
    visibility: v.union(
      [oneOf("public", "personal"), mapping(may({ group: texts }))],
      "expected public, personal or a mapping {group: [...]}",
    ),
    actions: listOf(actionSchema(mapping, kinds)),
    ...may({
      device_type: shortText,
      device: shortText,
      worker: shortText,
      priority,
      context,
      metadata: anyMapping,
      tags: texts,
      secrets: mapOf(text),
      environment: anyMapping,
      notify,
      protocols,
      reboot_to_fastboot: flag,
      retry_on: retryOnSchema,
    }),
  });
  return {
    job: v.pipe(
      job,
      rule(jobFindings),
      rule((value) => (strength === "strict" ? ownKeys(value) : [])),
      v.metadata({ allOf: RULES_IN_JSON }),
    ),
    parts: {
      ...partsOf(blocks),
      definition,
      ...kinds,
      ...named("deploy", deploys),
      ...named("boot", boots),
    },
  };
}

/** What is ours of a job: LAVA refuses it. */
const ownKeys = (job: unknown): Finding[] =>
  OWN_KEYS.filter((key) => has(asMapping(job) ?? {}, key)).map((key) => ({
    path: [key],
    message: "it is Pumice's own: LAVA refuses a job that has it",
  }));
const OWN_KEYS = ["retry_on"];

const shortText = v.pipe(nonEmptyText, v.maxLength(200, "expected at most 200 characters"));

const priority = v.union(
  [
    oneOf("high", "medium", "low"),
    v.pipe(
      atLeast(0),
      v.check((value) => Number(value) <= 100),
      v.metadata({ maximum: 100 }),
    ),
  ],
  "expected high, medium, low or a number from 0 to 100",
);

function timeoutsSchema(mapping: Mapping, timeout: v.GenericSchema) {
  return mapping({
    job: timeout,
    ...may({
      action: timeout,
      connection: timeout,
      queue: timeout,
      actions: mapOf(timeout),
      connections: mapOf(timeout),
    }),
  });
}

function actionSchema(mapping: Mapping, kinds: Record<string, v.GenericSchema>) {
  const words = Object.keys(kinds);
  const message = `expected one of the keys ${words.join(", ")}`;
  return v.pipe(
    mapping(may(kinds)),
    rule((action) => {
      const item = asMapping(action);
      return !item || words.some((word) => has(item, word)) ? [] : [{ path: [], message }];
    }),
    v.metadata({ minProperties: 1 }),
  );
}

const partsOf = (blocks: Blocks) => ({
  timeout: blocks.timeout,
  context: blocks.context,
  file: blocks.file,
  overlays: blocks.overlays,
  docker: blocks.docker,
  prompts: blocks.prompts,
  auto_login: blocks.autoLogin,
  transfer_overlay: blocks.transferOverlay,
});

const named = (kind: string, methods: Record<string, v.GenericSchema>) =>
  Object.fromEntries(Object.entries(methods).map(([word, schema]) => [`${kind}.${word}`, schema]));
