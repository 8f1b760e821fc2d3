import type { Action } from "../../pipeline/action.ts";
import { runDeviceCommands } from "./device-commands.ts";

const power = (name: string, key: string, onFailure: string): Action => ({
  name,
  onTimeout: "Infrastructure",
  run: async (context) => {
    const commands = context.job.device.commands?.[key];
    if (commands !== undefined) await runDeviceCommands(context, commands, onFailure);
    context.record({ status: "success" });
  },
});
export const pduReboot = power("pdu-reboot", "hard_reset", "Unable to reboot");
export const powerOn = power("power-on", "power_on", "Unable to power-on");
export const powerOff = power("power-off", "power_off", "Unable to power-off");
export const prePowerCommand = power("pre-power-command", "pre_power_command", "Failed");
export const preOsCommand = power("pre-os-command", "pre_os_command", "Failed");
