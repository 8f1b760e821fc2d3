import type { Console } from "../../console/console.ts";
import type { RunContext } from "../../pipeline/action.ts";

const FORCED_PROMPTS = 6;

/**
 * Waits for a prompt for all the time that an action has (DISPATCHER.md 2): half of it quietly, then with a `#`
 * typed now and then, in case the prompt was lost. Undefined when the time is nearly over, so that
 * who waited can still say what for.
 */
export async function forcePrompt<T>(
  { log, timeoutSeconds }: RunContext,
  console: Console,
  actionName: string,
  tryExpect: (seconds: number) => Promise<T | undefined>,
): Promise<T | undefined> {
  const ends = performance.now() + timeoutSeconds * 1000;
  const part = (divisor: number): number =>
    Math.max(0.05, (ends - performance.now()) / 1000 / divisor);
  let found = await tryExpect(part(2));
  for (let n = 1; n <= FORCED_PROMPTS && found === undefined; n++) {
    log.warning(`${actionName}: no prompt yet. Sending '#' and a newline`);
    await console.sendLine("#");
    found = await tryExpect(part(10));
  }
  return found ?? tryExpect(part(1.1));
}
