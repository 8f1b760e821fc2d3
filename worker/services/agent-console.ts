import { readDeviceConfiguration } from "#protocol/device-configuration.ts";
import type { Power } from "#protocol/console-requests.ts";
import type { ConsoleTicket } from "#protocol/consoles.ts";
import { primaryConnection, requireProgram } from "../actions/connection/device-connections.ts";
import { commandList } from "../actions/power/command-list.ts";
import type { OpenedDevice } from "../agent/console-relays.ts";
import { openTransport } from "../drivers/open-transport.ts";
import { redacted } from "../drivers/power/outlet.ts";
import { isPowerCommand, runPowerCommand } from "../drivers/power/power-command.ts";
import { changeEnvironment } from "../host/job-environment.ts";
import { hostEnvironment, runCommand } from "../host/spawn.ts";
import { environmentOf } from "../job-context.ts";
import type { JobContext } from "../pipeline/action.ts";
import { openJobConsole } from "./job-console.ts";
import { CONSOLE_VARIABLE } from "./left-consoles.ts";

const KEYS: Readonly<Record<Power, readonly string[]>> = {
  on: ["pre_power_command", "power_on"],
  off: ["power_off"],
  reset: ["hard_reset"],
};
const POWER_SECONDS = 120;

/**
 * The connection that a job's `connect-device` would open, or that of a job that waits, and the device's power commands, for a
 * person at its console. Its programs have the environment that a job's have.
 *
 * @throws JobFailure when it can't be opened; the signal's reason when aborted.
 */
export async function openDevice(
  ticket: ConsoleTicket,
  workDir: string,
  signal: AbortSignal,
): Promise<OpenedDevice> {
  const { device_hostname: deviceHostname, job_id: jobId, holder = "somebody" } = ticket;
  const { configuration: device, problems } = readDeviceConfiguration(ticket.device);
  if (!device) throw new Error(`configuration of ${deviceHostname}: ${problems[0]?.message ?? ""}`);
  const environment: NodeJS.ProcessEnv = { ...process.env };
  changeEnvironment(environment, environmentOf(ticket.env ?? "", "env"));
  const commands = device.commands ?? {};
  const power: OpenedDevice["power"] = (what, stop) =>
    switchPower(commands, what, environment, stop);
  if (jobId !== undefined) return { ...(await openJobConsole(workDir, { jobId, holder })), power };
  // All that a connection is read from.
  const { name, target, ...how } = primaryConnection({ device, deviceHostname } as JobContext);
  requireProgram({ name, target, ...how });
  // So that the next agent finds what a killed one left.
  const marked = { ...environment, [CONSOLE_VARIABLE]: workDir };
  return { transport: await openTransport(name, target, signal, marked), power };
}

async function switchPower(
  commands: Readonly<Record<string, unknown>>,
  power: Power,
  environment: NodeJS.ProcessEnv,
  outer: AbortSignal,
): Promise<void> {
  const keys = KEYS[power];
  const last = keys.at(-1) ?? "";
  if (!commands[last]) throw new Error(`the device has no commands.${last}`);
  const signal = AbortSignal.any([outer, AbortSignal.timeout(POWER_SECONDS * 1000)]);
  for (const key of keys) {
    for (const { text, argv } of commandList(commands[key], `commands.${key}`)) {
      if (isPowerCommand(argv)) {
        await runPowerCommand(argv.slice(1), { signal, say: () => {} });
        continue;
      }
      const env = hostEnvironment({}, environment);
      const { status, output } = await runCommand(argv, { signal, env });
      if (status === 0) continue;
      const said = redacted(output.trim().split("\n").at(-1) ?? "").slice(0, 500);
      const why = `exit code ${status}${said && `; it said last: ${said}`}`;
      throw new Error(`'${redacted(text)}' failed: ${why}`);
    }
  }
}
