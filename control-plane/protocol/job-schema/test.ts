import * as v from "valibot";
import {
  anyMapping,
  flag,
  listOf,
  mapOf,
  may,
  nonEmptyText,
  oneOf,
  text,
} from "#protocol/schema-parts.ts";
import type { Blocks } from "./blocks.ts";
import { byPresence, byWord } from "./choices.ts";
import type { Mapping } from "./strength.ts";
import { nonEmptyTexts, suiteName, texts, textOr, wholeNumber } from "./values.ts";

/** JOB.md 7: a test block is of one kind, looked up in this order. */
export function testSchema({ mapping, common, docker }: Blocks, definition: v.GenericSchema) {
  const test = (own: Record<string, v.GenericSchema>) => mapping({ ...own, ...common });
  const definitions = listOf(definition);
  const inContainer = test({
    definitions,
    docker,
    ...may({ "downloads-namespace": text, disconnect_connection: flag }),
  });
  return byPresence([
    { keys: ["definitions", "docker"], schema: inContainer },
    { keys: ["definitions"], schema: test({ definitions }) },
    { keys: ["interactive"], schema: test({ interactive: listOf(interactive(mapping)) }) },
    { keys: ["monitors"], schema: test({ monitors: listOf(monitor(mapping)) }) },
    { keys: ["services"], schema: test({ services: listOf(service(mapping)) }) },
  ]);
}

const fixups = mapOf(oneOf("pass", "fail", "skip", "unknown"));

/** JOB.md 7.1. */
export function definitionSchema(mapping: Mapping) {
  const common = {
    from: text,
    name: suiteName,
    path: text,
    ...may({
      skip_install: listOf(oneOf("keys", "sources", "deps", "steps", "git-repos", "all")),
      "lava-signal": oneOf("kmsg", "stdout"),
      expected: texts,
    }),
  };
  const fetched = {
    ...common,
    repository: text,
    ...may({ parameters: anyMapping, params: anyMapping }),
  };
  return byWord("from", {
    git: mapping({
      ...fetched,
      ...may({ branch: text, revision: text, history: flag, recursive: flag }),
    }),
    url: mapping({
      ...fetched,
      ...may({ compression: text, "strip-components": wholeNumber, headers: anyMapping }),
    }),
    inline: mapping({ ...common, repository: testDefinition(mapping) }),
  });
}

/** What stands in a test definition file or, inline, in the job. */
function testDefinition(mapping: Mapping) {
  const repo = mapping(may({ url: text, branch: text, destination: text }));
  return mapping({
    metadata: mapping({
      format: oneOf("Lava-Test Test Definition 1.0"),
      name: text,
      ...may({
        description: text,
        environment: texts,
        devices: texts,
        maintainer: texts,
        scope: texts,
        os: texts,
      }),
    }),
    ...may({
      install: mapping(
        may({
          deps: texts,
          "^deps-.": texts,
          keys: texts,
          steps: texts,
          sources: texts,
          "git-repos": listOf(textOr(repo)),
        }),
      ),
      run: mapping({ steps: texts }),
      parameters: anyMapping,
      params: anyMapping,
      parse: mapping(may({ fixupdict: fixups })),
      expected: texts,
    }),
  });
}

/** JOB.md 7.2. */
function interactive(mapping: Mapping) {
  const step = may({
    command: v.nullable(text),
    delay: wholeNumber,
    "lava-send": text,
    "lava-sync": text,
    "lava-wait": text,
    "lava-wait-all": text,
    name: suiteName,
    wait_for_prompt: flag,
    successes: listOf(mapping({ message: nonEmptyText })),
    failures: listOf(
      mapping({
        message: nonEmptyText,
        ...may({
          exception: oneOf("InfrastructureError", "JobError", "TestError"),
          error: nonEmptyText,
        }),
      }),
    ),
  });
  return mapping({
    name: suiteName,
    prompts: nonEmptyTexts,
    script: listOf(mapping(step)),
    ...may({ echo: oneOf("discard"), expected: nonEmptyTexts }),
  });
}

/** JOB.md 7.3. */
const monitor = (mapping: Mapping) =>
  mapping({
    name: suiteName,
    start: text,
    end: text,
    pattern: text,
    ...may({ fixupdict: fixups, expected: texts }),
  });

/** JOB.md 7.4. */
function service(mapping: Mapping) {
  const common = {
    from: text,
    name: suiteName,
    repository: text,
    path: text,
    ...may({ service: text }),
  };
  return byWord("from", {
    git: mapping({
      ...common,
      ...may({ branch: text, history: flag, revision: text, recursive: flag }),
    }),
    url: mapping({ ...common, ...may({ compression: text, headers: anyMapping }) }),
  });
}
