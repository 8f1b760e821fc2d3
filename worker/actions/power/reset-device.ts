import type { BootBlock } from "#protocol/job-actions.ts";
import { pythonRegex } from "../../console/python-regex.ts";
import { listOfTexts } from "../../host/list-of-texts.ts";
import { dutRestarts } from "../../kernel/console-kernel.ts";
import type { Action, JobContext, RunContext } from "../../pipeline/action.ts";
import { JobFailure } from "../../pipeline/job-failure.ts";
import { consoleSlot } from "../../pipeline/job-slots.ts";
import { pduReboot } from "./power-actions.ts";

/**
 * RESET of DISPATCHER.md 11: by power where the device has `hard_reset`, else by typing reboot commands. `block` may
 * name those commands (`soft_reboot`) and the message that is awaited (`parameters.shutdown-message`).
 */
export const resetDevice = ({ device }: JobContext, block?: Partial<BootBlock>): Action => ({
  name: "reset-device",
  steps: [device.commands?.["hard_reset"] ? pduReboot : sendRebootCommands(block)],
});

/** `reboot` may be missing, or ask systemd in vain; the last one asks nobody (DISPATCHER.md 14). */
const REBOOT_COMMANDS = ["reboot", "reboot -n", "reboot -nf"];

function sendRebootCommands(block: Partial<BootBlock> = {}): Action {
  return {
    name: "send-reboot-commands",
    needs: [consoleSlot],
    validate: async ({ job }) => void pythonRegex(shutdownMessage(job, block)),
    run: (context) => reboot(context, block),
  };
}

async function reboot(context: RunContext, block: Partial<BootBlock>): Promise<void> {
  const { job, connection, timeoutSeconds, signal, log } = context;
  const own = [block["soft_reboot"], job.device.commands?.["soft_reboot"]].map(listOfTexts);
  const commands = own.find((list) => list.length > 0) ?? REBOOT_COMMANDS;
  const console = connection.take(consoleSlot);
  if (!console.isOpen) {
    throw new JobFailure("Infrastructure", "no connection to type reboot commands on");
  }
  log.debug("the device has no commands.hard_reset: rebooting from its shell");
  for (const command of commands) await console.sendLine(command);
  const message = pythonRegex(shutdownMessage(job, block));
  await console.expect({ message }, { timeoutSeconds, signal });
  dutRestarts(console);
  context.record({ commands });
}

function shutdownMessage({ device }: JobContext, { parameters }: Partial<BootBlock>): string {
  const constants = device.constants as Record<string, unknown>;
  const message = parameters?.["shutdown-message"] ?? constants["shutdown-message"];
  return typeof message === "string" && message !== ""
    ? message
    : "The system is going down for reboot NOW";
}
