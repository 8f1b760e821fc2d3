import type { Action, JobContext } from "../../pipeline/action.ts";
import { pduReboot } from "./power-actions.ts";

/** RESET of DISPATCHER.md 11. */
export const resetDevice = ({ device }: JobContext): Action => ({
  name: "reset-device",
  onTimeout: "Infrastructure",
  steps: [device.commands?.["hard_reset"] ? pduReboot : { name: "send-reboot-commands" }],
});
