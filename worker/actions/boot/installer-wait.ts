import type { BootBlock } from "#protocol/job-actions.ts";
import { pythonRegex } from "../../console/python-regex.ts";
import { listOfTexts } from "../../host/list-of-texts.ts";
import type { Action } from "../../pipeline/action.ts";
import { consoleSlot } from "../../pipeline/job-slots.ts";
import type { StrategyContext } from "../../pipeline/strategy.ts";
import { untilDeadline } from "../bootloader/interrupt.ts";
import { loginSteps } from "../login/login.ts";
import { powerOff } from "../power/power-actions.ts";

/**
 * The end of a boot by GRUB (DISPATCHER.md 12): a login where the block has prompts; else, where an installer runs by
 * itself, the wait for its end (`boot_finished`), after which the DUT is switched off.
 */
export function loginOrInstaller(block: BootBlock, context: StrategyContext): Action[] {
  const login = loginSteps(block, context);
  if (login.length > 0) return login;
  const finished = listOfTexts(block["boot_finished"]);
  return finished.length > 0 ? [installerWait(finished), powerOff] : [];
}

const installerWait = (finished: readonly string[]): Action => ({
  name: "installer-wait",
  needs: [consoleSlot],
  validate: async () => finished.forEach((message) => pythonRegex(message)),
  run: async (context) => {
    const { connection, log } = context;
    const patterns = finished.map((message, index) => [String(index), pythonRegex(message)]);
    log.info(`Waiting for the installer's end: ${finished.join(", ")}`);
    const console = connection.take(consoleSlot);
    await console.expect<string>(Object.fromEntries(patterns), untilDeadline(context));
  },
});
