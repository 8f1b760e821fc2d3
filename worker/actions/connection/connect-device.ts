import { processTransport } from "../../drivers/process-transport.ts";
import { shellWords } from "../../host/shell-words.ts";
import type { Action } from "../../pipeline/action.ts";
import { JobFailure } from "../../pipeline/job-failure.ts";
import { consoleSlot } from "../../pipeline/job-slots.ts";
import { openConsole } from "./open-console.ts";

/** Opens the device's primary connection, unless it is open (DISPATCHER.md 14). */
export const connectDevice: Action = {
  name: "connect-device",
  gives: [consoleSlot],
  onTimeout: "Infrastructure",
  run: async (context) => {
    const { slots, job, log } = context;
    if (slots.find(consoleSlot)?.isOpen) return log.debug("Already connected");
    const command = job.device.commands?.["connect"];
    const [program, ...args] = shellWords(String(command));
    if (!program) throw new JobFailure("Configuration", "the device has no connection");
    openConsole(context, await processTransport([program, ...args]));
  },
};

export const disconnectDevice: Action = {
  name: "disconnect-device",
  onTimeout: "Infrastructure",
  run: async ({ slots }) => slots.find(consoleSlot)?.close(),
};

export const resetConnection: Action = {
  name: "reset-connection",
  retries: true,
  gives: [consoleSlot],
  steps: [disconnectDevice, connectDevice],
};
