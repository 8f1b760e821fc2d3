import type { TestBlock } from "#protocol/job-actions.ts";
import type { Console } from "../../console/console.ts";
import { pythonRegex } from "../../console/python-regex.ts";
import { withKernelRecord } from "../../kernel/kernel-record.ts";
import type { RunContext } from "../../pipeline/action.ts";
import { JobFailure } from "../../pipeline/job-failure.ts";
import { multinodeSettings } from "../../pipeline/group.ts";
import { consoleSlot } from "../../pipeline/job-slots.ts";
import type { TestStrategy } from "../../pipeline/strategy.ts";
import { interactiveCall } from "./interactive-call.ts";
import { runStep, type Substitutions } from "./interactive-step.ts";
import { knownSubstitutions } from "./interactive-substitutions.ts";
import { SuiteRecords } from "./suite-records.ts";

export type Script = NonNullable<TestBlock["interactive"]>[number];
export type Step = Script["script"][number];

/** `test: interactive`: commands typed at a prompt, judged by what comes back (TEST-SHELL.md 9). */
export const interactiveTest: TestStrategy = {
  family: "test",
  name: "interactive",
  refuses: ({ interactive }) =>
    interactive === undefined ? "the block has no interactive scripts" : undefined,
  action: ({ interactive = [] }, { stage, job }) => ({
    name: "lava-test-interactive-retry",
    retries: true,
    steps: [
      {
        name: "lava-test-interactive",
        needs: [consoleSlot],
        onTimeout: "LAVATimeout",
        validate: async () => {
          const isMultinode = multinodeSettings(job.definition) !== undefined;
          for (const script of interactive) checkScript(script, isMultinode);
        },
        run: (context) => runScripts(context, interactive, stage),
      },
    ],
  }),
};

async function runScripts(
  context: RunContext,
  scripts: readonly Script[],
  stage: number,
): Promise<void> {
  const console = context.connection.find(consoleSlot);
  if (!console) throw new JobFailure("Job", "No connection to the DUT");
  await withKernelRecord(context, console, async () => {
    for (const script of scripts) await runScript(context, console, script, stage);
  });
}

/** Runs one script, which is a suite, and is itself a case of suite `lava`. */
async function runScript(
  context: RunContext,
  console: Console,
  script: Script,
  stage: number,
): Promise<void> {
  const { log, level, namespace } = context;
  const suite = `${stage}_${script.name}`;
  const records = new SuiteRecords(suite, script.expected, context);
  const substitutions: Substitutions = knownSubstitutions(context);
  const started = performance.now();
  let result = "fail";
  log.info(`interactive script ${script.name}`);
  try {
    for (const step of script.script) {
      await runStep({ context, console, script, records, substitutions }, step);
    }
    result = "pass";
  } finally {
    records.reportMissing();
    const duration = ((performance.now() - started) / 1000).toFixed(2);
    log.result({ definition: "lava", namespace, case: suite, level, duration, result });
  }
}

/** Before any hardware is touched. */
function checkScript({ name, prompts, script }: Script, isMultinode: boolean): void {
  for (const prompt of prompts) pythonRegex(prompt);
  if (prompts.length === 0) {
    throw new JobFailure("Job", `interactive ${name}: prompts: expected at least one`);
  }
  for (const { failures = [], successes = [], ...step } of script) {
    for (const { message } of [...failures, ...successes]) pythonRegex(message);
    const call = interactiveCall(step);
    if (call && !isMultinode) {
      const message = `interactive ${name}: ${call.word}: this is no multinode job: there is nobody to talk to`;
      throw new JobFailure("Job", message);
    }
  }
}
