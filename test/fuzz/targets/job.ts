import { readFileSync } from "node:fs";
import path from "node:path";
import { checkJob } from "#protocol/check-job.ts";
import { readDeviceConfiguration } from "#protocol/device-configuration.ts";
import { readTestDefinition } from "#protocol/test-definition.ts";
import { root } from "../../support/real-lab.ts";
import { aJob } from "../../support/builders.ts";
import type { FuzzTarget } from "../engine/fuzz-target.ts";

/** Job definitions, test definitions and device configurations: YAML that people write. */
export const job: FuzzTarget = {
  about: "job definitions, test definitions and device configurations (YAML)",
  words: [
    ...["\n", "  ", "\t", ": ", "- ", "{", "}", "[", "]", "&a ", "*a ", "<<: *a\n", "|2\n", ">\n"],
    ...[
      "!!python/none",
      "!!binary |",
      "%YAML 1.2\n",
      "---\n",
      "...\n",
      "\u2028",
      "\0",
      "__proto__: 1",
    ],
    ...["actions:", "deploy:", "boot:", "test:", "definitions:", "timeouts:", "job:", "minutes: 1"],
    ...[
      "method: qemu",
      "to: tftp",
      "prompts:",
      "protocols:",
      "lava-multinode:",
      "roles:",
      "count: 9",
    ],
    ...["notify:", "repeat:", "namespace: a", "context:", "tags:", "secrets:", "priority: high"],
    ...[
      "from: inline",
      "from: git",
      "parse:",
      "pattern:",
      "fixupdict:",
      "monitors:",
      "interactive:",
    ],
  ],
  seeds: () => [
    aJob(),
    readFileSync(path.join(root, "docs/examples/qemu-smoke.yaml")),
    "metadata: {format: Lava-Test Test Definition 1.0, name: a}\nrun: {steps: [ls]}\nparse: {pattern: '^(?P<test_case_id>.+)$'}\n",
  ],
  open: async () => ({
    run(input) {
      const text = Buffer.from(input).toString("utf8");
      const { definition, problems, locate } = checkJob(text);
      for (const { line } of [...problems, locate(["actions", 0])]) {
        if (!(line > 0)) throw new Error("a problem has no line");
      }
      if (definition === undefined && problems.length === 0)
        throw new Error("neither a definition nor a problem");
      readTestDefinition(text);
      readDeviceConfiguration(text);
    },
  }),
};
