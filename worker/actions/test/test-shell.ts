import type { Console } from "../../console/console.ts";
import { literalRegex, pythonRegex } from "../../console/python-regex.ts";
import type { RunContext } from "../../pipeline/action.ts";
import { JobFailure } from "../../pipeline/job-failure.ts";
import {
  consoleSlot,
  guestDriveSlot,
  overlaySlot,
  promptsSlot,
  type Overlay,
} from "../../pipeline/job-slots.ts";
import type { TestStrategy } from "../../pipeline/strategy.ts";
import { SignalReader } from "./signal-reader.ts";
import { isTrace, SIGNAL } from "./signal-words.ts";

/** `test: definitions` in the DUT's own shell (DISPATCHER.md 13). */
export const definitionTest: TestStrategy = {
  family: "test",
  name: "definition",
  refuses: (block) => {
    if (block.definitions === undefined) return "the block has no definitions";
    return block["docker"] === undefined ? undefined : "tests in a container are not supported yet";
  },
  action: (_block, { stage }) => ({
    name: "lava-test-retry",
    retries: true,
    steps: [
      {
        name: "lava-test-shell",
        needs: [consoleSlot, overlaySlot, promptsSlot],
        onTimeout: "LAVATimeout",
        run: (context) => runStage(context, stage),
      },
    ],
  }),
};

const RUNNER_EXIT = literalRegex("<LAVA_TEST_RUNNER EXIT>");
const INSTALL_FAIL = literalRegex("<LAVA_TEST_RUNNER INSTALL_FAIL>");
// The spelling is LAVA's, and part of the wire.
const RETURN_CODE = /<LAVA_SIGNAL_RETRUNCODE (\d+)>/g;

/** Starts the test runner of a stage on the DUT and reads its signals to the end (TEST-SHELL.md 3). */
async function runStage(context: RunContext, stage: number): Promise<void> {
  const { slots, connection, log } = context;
  const console = connection.find(consoleSlot);
  if (!console) throw new JobFailure("Job", "No connection to the DUT");
  const overlay = slots.take(overlaySlot);
  console.characterDelayMs = Number(context.job.device.character_delays?.test ?? 0);
  await prepareShell(context, console, connection.take(promptsSlot), overlay);
  await console.sendLine(`${overlay.lavaDir}/bin/lava-test-runner ${overlay.lavaDir}/${stage}`);
  const reader = new SignalReader(context, stage, overlay.stages[stage] ?? []);
  try {
    await readSignals(context, console, reader);
  } finally {
    reader.close();
  }
  log.debug(`lava-test-runner of stage ${stage} has ended`);
  if (reader.errors.length > 0) throw new JobFailure("Test", reader.errors.join("; "));
}

async function prepareShell(
  context: RunContext,
  console: Console,
  prompts: readonly string[],
  { lavaDir, shell }: Overlay,
): Promise<void> {
  const { slots, signal, connectionTimeoutSeconds } = context;
  const patterns = Object.fromEntries(
    prompts.map((prompt, index) => [`prompt ${index}`, pythonRegex(prompt)]),
  );
  const wait = { timeoutSeconds: connectionTimeoutSeconds, signal };
  const type = async (line: string): Promise<void> => {
    await console.sendLine(line);
    await console.expect(patterns, wait);
  };
  await type("#");
  for (const command of slots.find(guestDriveSlot)?.mountCommands ?? []) await type(command);
  await type(`export SHELL=${shell}`);
  const sourcing = `. ${lavaDir}/environment`;
  await console.sendLine(`${sourcing} ; printf "<LAVA_SIGNAL_RETRUNCODE $?>\\n"`);
  const code = await console.tryExpect({ code: RETURN_CODE }, { timeoutSeconds: 15, signal });
  if (!code) throw new JobFailure("Job", `Failed to check '${sourcing}' return code!`);
  const status = code.match[1];
  if (status !== "0") {
    throw new JobFailure("Job", `'${sourcing}' failed with return code ${status}!`);
  }
}

async function readSignals(
  { timeoutSeconds, signal, log }: RunContext,
  console: Console,
  reader: SignalReader,
): Promise<void> {
  for (;;) {
    const pattern = reader.parsePattern;
    const patterns: Record<string, RegExp> = {
      exit: RUNNER_EXIT,
      installFail: INSTALL_FAIL,
      signal: SIGNAL,
      ...(pattern ? { pattern } : {}),
    };
    // Only the action's own time-out, through its signal, ends this wait.
    const found = await console.tryExpect(patterns, { timeoutSeconds, signal, inLine: true });
    if (!found) continue;
    const { match, logLine, lineBefore } = found;
    switch (found.name) {
      case "exit":
        return;
      case "installFail":
        reader.installFailed();
        break;
      case "pattern":
        reader.parsed(match, logLine);
        break;
      case "signal":
        if (isTrace(lineBefore)) log.debug(`a shell's trace of a signal, not counted: ${match[0]}`);
        else reader.signal(match[1] ?? "", match[2] ?? "", logLine);
        break;
    }
  }
}
