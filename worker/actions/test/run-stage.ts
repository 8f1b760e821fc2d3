import type { Console } from "../../console/console.ts";
import { withKernelWatch } from "../../kernel/kernel-record.ts";
import type { RunContext } from "../../pipeline/action.ts";
import { JobFailure } from "../../pipeline/job-failure.ts";
import type { Overlay } from "../../pipeline/job-slots.ts";
import { slot } from "../../pipeline/slot.ts";
import { exitCode, runInShell, typeInShell, type Shell } from "../login/shell-command.ts";
import { MultinodeCalls } from "./multinode-calls.ts";
import { readStage } from "./read-stage.ts";
import { SignalReader } from "./signal-reader.ts";

/** Where a stage of an overlay is to run. */
export interface StageShell {
  /** A shell that has the overlay, or has it once `mountCommands` were typed. */
  readonly console: Console;
  readonly prompts: readonly string[];
  readonly overlay: Overlay;
  readonly stage: number;
  readonly mountCommands?: readonly string[];
}

/** A DUT that got another line than the one that was typed has found no tests. */
const MAX_STARTS = 3;

/**
 * Starts the test runner of a stage and reads its signals to the end (TEST-SHELL.md 3), on the DUT or in a container.
 *
 * @throws JobFailure Test for what the stage's definitions did wrong, Job when the overlay isn't there, Infrastructure
 * when it has no tests.
 */
export async function runStage(context: RunContext, shell: StageShell): Promise<void> {
  const { console } = shell;
  await withKernelWatch(context, console, ({ signal, alive }) =>
    runWatched({ ...context, signal }, shell, alive),
  );
}

async function runWatched(
  context: RunContext,
  shell: StageShell,
  alive: (logLine: number) => void,
): Promise<void> {
  const { console, overlay, stage, prompts } = shell;
  const folder = `${overlay.lavaDir}/${stage}`;
  const { signal, log, connectionTimeoutSeconds: timeoutSeconds } = context;
  const dut = { console, prompts, signal, log, timeoutSeconds };
  await prepareShell(dut, shell, wasRun(context, folder) ? [runAgain(folder)] : []);
  const definitions = overlay.stages[stage] ?? [];
  const reader = new SignalReader(context, stage, definitions);
  const { group } = context.job;
  const calls = group && new MultinodeCalls(group, context, reader);
  try {
    for (let tries = 1; tries <= MAX_STARTS && !reader.hasStarted; tries++) {
      await typeInShell(dut, `${overlay.lavaDir}/bin/lava-test-runner ${folder}`);
      await readStage(context, console, reader, alive, calls);
      if (definitions.length === 0) break;
    }
  } finally {
    calls?.close();
    reader.close();
  }
  log.debug(`lava-test-runner of stage ${stage} has ended`);
  if (definitions.length > 0 && !reader.hasStarted) {
    const why = `none of its tests has started: expected the list of them in ${folder}/lava-test-runner.conf on the DUT`;
    throw new JobFailure(
      "Infrastructure",
      `lava-test-runner of stage ${stage} has ended, and ${why}`,
    );
  }
  if (reader.errors.length > 0) throw new JobFailure("Test", reader.errors.join("; "));
}

const ranSlot = slot<Set<string>>("stages that ran");

/** Whether this stage was started before, by an earlier attempt; it counts as started from now on. */
function wasRun({ slots }: RunContext, folder: string): boolean {
  const ran = slots.find(ranSlot) ?? new Set();
  slots.put(ranSlot, ran);
  const known = ran.has(folder);
  ran.add(folder);
  return known;
}

/** The runner takes its list away when it starts, so that a reboot does not run it again; a retry shall. */
const runAgain = (folder: string): string =>
  `[ -e ${folder}/lava-test-runner.conf ] || mv ${folder}/lava-test-runner.conf-* ${folder}/lava-test-runner.conf`;

async function prepareShell(
  shell: Shell,
  { overlay, mountCommands = [] }: StageShell,
  moreCommands: readonly string[],
): Promise<void> {
  for (const line of [...mountCommands, ...moreCommands]) {
    await runInShell(shell, line, { isBrief: true });
  }
  const sourcing = `. ${overlay.lavaDir}/environment`;
  // In one line: each costs a slow console its echo and its prompt.
  const line = `export SHELL=${overlay.shell} ; ${sourcing}`;
  const status = await exitCode({ ...shell, timeoutSeconds: 15 }, line, { isBrief: true });
  if (status === undefined) {
    throw new JobFailure("Job", `Failed to check '${sourcing}' return code!`);
  }
  if (status !== 0) {
    throw new JobFailure("Job", `'${sourcing}' failed with return code ${status}!`);
  }
}
