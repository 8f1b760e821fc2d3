import type { RunContext } from "../../pipeline/action.ts";
import { JobFailure } from "../../pipeline/job-failure.ts";
import { consoleSlot } from "../../pipeline/job-slots.ts";
import { currentPrompts, promptPatterns } from "./prompt-patterns.ts";

/**
 * Types a command in the DUT's shell and waits for its end and the prompt after it, which the next command must not
 * take for its own. Each wait takes as long as the action has, unless said.
 *
 * @throws JobFailure Job when it fails, with its exit code.
 */
export async function runOnDut(
  { connection, signal, ...context }: RunContext,
  command: string,
  { timeoutSeconds = context.timeoutSeconds } = {},
): Promise<void> {
  const console = connection.take(consoleSlot);
  const prompts = currentPrompts(connection);
  const wait = { timeoutSeconds, signal };
  // LAVA's own words (DISPATCHER.md 14). Their echo has `$?` where the answer has digits.
  await console.sendLine(`${command} ; printf "<LAVA_SIGNAL_RETRUNCODE $?>\\n"`);
  const { match } = await console.expect({ ended: /<LAVA_SIGNAL_RETRUNCODE (\d+)>/g }, wait);
  if (prompts.length > 0) await console.expect(promptPatterns(prompts), wait);
  const code = Number(match[1]);
  if (code === 0) return;
  throw new JobFailure("Job", `'${command}' failed with return code ${code}!`);
}
