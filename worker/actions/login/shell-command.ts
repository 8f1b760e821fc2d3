import type { RunContext } from "../../pipeline/action.ts";
import { JobFailure } from "../../pipeline/job-failure.ts";
import { consoleSlot, promptsSlot } from "../../pipeline/job-slots.ts";
import { promptPatterns } from "./prompt-patterns.ts";

/**
 * Types a command in the DUT's shell and waits for its end and the prompt after it, for as long as the action has.
 *
 * @throws JobFailure Job when it fails, with its exit code.
 */
export async function runOnDut(context: RunContext, command: string): Promise<void> {
  const { connection, signal, timeoutSeconds } = context;
  const console = connection.take(consoleSlot);
  const patterns = promptPatterns(connection.take(promptsSlot));
  const wait = { timeoutSeconds, signal };
  // LAVA's own words (DISPATCHER.md 14). Their echo has `$?` where the answer has digits.
  await console.sendLine(`${command} ; printf "<LAVA_SIGNAL_RETRUNCODE $?>\\n"`);
  const { match } = await console.expect({ ended: /<LAVA_SIGNAL_RETRUNCODE (\d+)>/g }, wait);
  await console.expect(patterns, wait);
  const code = Number(match[1]);
  if (code === 0) return;
  throw new JobFailure("Job", `'${command}' failed with return code ${code}!`);
}
