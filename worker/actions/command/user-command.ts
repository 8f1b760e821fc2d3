import type { CommandBlock } from "#protocol/job-actions.ts";
import { nearestWord } from "#protocol/nearest-word.ts";
import type { JobContext, RunContext, ValidateContext } from "../../pipeline/action.ts";
import { JobFailure } from "../../pipeline/job-failure.ts";
import { stopServicesSlot } from "../../pipeline/job-slots.ts";
import type { CommandStrategy } from "../../pipeline/strategy.ts";
import { checkCommands } from "../power/command-list.ts";
import { runDeviceCommands } from "../power/device-commands.ts";

/**
 * `command: {name}` (DISPATCHER.md 14): a command that the device's dictionary offers to jobs (`commands.users`), whose
 * `undo` is run at the job's end, or one of those that the lab itself uses, such as `power_off`.
 */
export const userCommand: CommandStrategy = {
  family: "command",
  name: "command",
  refuses: () => undefined,
  action: (block) => ({
    name: "user-command",
    onTimeout: "Infrastructure",
    validate: async (context) => check(context, block),
    run: (context) => run(context, block),
  }),
};

/** What a job may ask for without the dictionary offering it, when the device has it. */
const OF_THE_LAB = [
  "pre_power_command",
  "pre_os_command",
  "hard_reset",
  "power_on",
  "power_off",
  "recovery_mode",
  "recovery_exit",
];
const STOP_SERVICES = "stop_test_services";
const USBG_MS_DISABLE = "usbg_ms_commands_disable";

interface Found {
  readonly do: unknown;
  readonly undo?: unknown;
}

async function check(context: ValidateContext, { name }: CommandBlock): Promise<void> {
  const known = commandsOf(context.job);
  const found = known.get(name);
  if (found) {
    checkCommands(context, found.do, `command ${name}`);
    return checkCommands(context, found.undo, `undo of command ${name}`);
  }
  const near = nearestWord(name, [...known.keys()]);
  const hint = near === undefined ? "" : `; did you mean ${near}?`;
  const there = [...known.keys()].join(", ");
  throw new JobFailure("Job", `the device has no command ${name} (it has ${there})${hint}`);
}

async function run(context: RunContext, { name }: CommandBlock): Promise<void> {
  if (name === STOP_SERVICES) {
    for (const stop of context.slots.find(stopServicesSlot) ?? []) await stop();
    context.slots.clear(stopServicesSlot);
    return;
  }
  const found = commandsOf(context.job).get(name);
  // Also when `do` fails: what it had done until then is to be undone.
  if (found?.undo) context.defer(() => undo(context, name, found.undo));
  await runDeviceCommands(context, found?.do, `Unable to run command ${name}`);
}

/** The job's own signal may have ended it: this has a time of its own. */
async function undo(context: RunContext, name: string, commands: unknown): Promise<void> {
  const signal = AbortSignal.timeout(context.timeoutSeconds * 1000);
  try {
    await runDeviceCommands({ ...context, signal }, commands, `Unable to undo command ${name}`);
  } catch (error) {
    if (!signal.aborted) throw error;
    const message = `undo of command ${name} timed out after ${context.timeoutSeconds} seconds`;
    throw new JobFailure("Infrastructure", message, { cause: error });
  }
}

function commandsOf({ device }: JobContext): Map<string, Found> {
  const { users, ...commands } = device.commands ?? {};
  const usbg = device.actions.deploy.methods?.["usbg-ms"] as { disable?: unknown } | null;
  const offered = Object.entries((users ?? {}) as Record<string, Found | null>);
  return new Map<string, Found>([
    ...OF_THE_LAB.flatMap((name) =>
      commands[name] ? [[name, { do: commands[name] }] as const] : [],
    ),
    ...(usbg?.disable ? [[USBG_MS_DISABLE, { do: usbg.disable }] as const] : []),
    [STOP_SERVICES, { do: [] }],
    ...offered.flatMap(([name, found]) => (found?.do ? [[name, found] as const] : [])),
  ]);
}
