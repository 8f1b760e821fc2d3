import type { Console } from "../../../worker/console/console.ts";
import { literalRegex } from "../../../worker/console/python-regex.ts";
import type { RunContext } from "../../../worker/pipeline/action.ts";
import { JobFailure } from "../../../worker/pipeline/job-failure.ts";
import type { Overlay } from "../../../worker/pipeline/job-slots.ts";

const PATTERNS = {
  exit: literalRegex("<LAVA_TEST_RUNNER EXIT>"),
  signal: /<LAVA_SIGNAL_(\S+) ([^>]+)>/g,
};

/** Nothing more will come of a DUT that says nothing for so long; LAVA waits until the action's time is over. */
const IDLE_SECONDS = 10;

/**
 * A stage as a runner reads it that believes its console (TEST-SHELL.md 3 and 6): what it types has arrived, what looks
 * like a prompt is one, and what looks like a signal is one. To measure what the journal is worth.
 */
export async function plainStage(
  context: RunContext,
  console: Console,
  prompt: string,
  { lavaDir, shell }: Overlay,
): Promise<void> {
  const { signal } = context;
  const idle = { timeoutSeconds: IDLE_SECONDS, signal };
  for (const line of ["#", `export SHELL=${shell}`, `. ${lavaDir}/environment`]) {
    await console.send(`${line}\n`);
    await console.expect({ prompt: literalRegex(prompt) }, idle);
  }
  await console.send(`${lavaDir}/bin/lava-test-runner ${lavaDir}/0\n`);
  const reader = plainReader(context);
  try {
    for (;;) {
      const found = await console.tryExpect(PATTERNS, idle);
      if (!found) throw new JobFailure("Test", "lava-test-shell timed out");
      if (found.name === "exit") return;
      reader.signal(found.match[1] ?? "", (found.match[2] ?? "").trim().split(/\s+/));
    }
  } finally {
    reader.close();
  }
}

function plainReader({ log }: RunContext) {
  let run: string | undefined;
  let set: string | undefined;
  const end = (result: string): void => {
    if (run !== undefined) log.result({ definition: "lava", case: run, result });
    run = undefined;
  };
  const record = (values: Record<string, unknown>): void => {
    log.result({ definition: run, ...values, ...(set === undefined ? {} : { set }) });
  };
  return {
    close: () => end("fail"),
    signal: (name: string, words: readonly string[]): void => {
      if (name === "STARTRUN") {
        end("fail");
        if (words[1] === undefined) throw new JobFailure("Test", "Invalid signal");
        run = words[0];
      } else if (name === "ENDRUN") end("pass");
      else if (name === "TESTSET") set = words[0] === "START" ? words[1] : undefined;
      else if (name === "TESTRAISE") throw new JobFailure("Test", words.join(" "));
      else if (name === "TESTREFERENCE") {
        if (words.length !== 3) throw new JobFailure("Test", "Invalid signal");
        record({ case: words[0], result: words[1], reference: words[2] });
      } else if (name === "TESTCASE") {
        if (run === undefined) throw new JobFailure("Test", "a test case before any test run");
        const found = plainCase(words);
        if (found) record(found);
      }
    },
  };
}

/** Undefined for what is dropped. */
function plainCase(words: readonly string[]): Record<string, unknown> | undefined {
  if (words.some((word) => !word.includes("="))) return undefined;
  const pairs = words.map((word) => [
    word.slice(0, word.indexOf("=")).toLowerCase(),
    word.slice(word.indexOf("=") + 1),
  ]);
  const {
    test_case_id: name,
    result,
    measurement,
    units,
  } = Object.fromEntries(pairs) as Partial<Record<string, string>>;
  if (name === undefined || !/^(pass|fail|skip|unknown)$/.test(result ?? "")) return undefined;
  if (measurement !== undefined && !Number.isFinite(Number(measurement))) return undefined;
  return {
    case: name,
    result,
    ...(measurement === undefined ? {} : { measurement: Number(measurement) }),
    ...(units === undefined ? {} : { units }),
  };
}
