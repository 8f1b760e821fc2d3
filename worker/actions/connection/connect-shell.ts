import type { Action } from "../../pipeline/action.ts";
import { consoleSlot } from "../../pipeline/job-slots.ts";
import { connect } from "./connect-device.ts";
import { namedConnection, requireProgram } from "./device-connections.ts";

/** Opens one of the device's connections by the name of its hardware and asks for a prompt (DISPATCHER.md 12). */
export const connectShell = (hardware: unknown): Action => ({
  name: "connect-shell",
  gives: [consoleSlot],
  onTimeout: "Infrastructure",
  validate: async ({ job }) => requireProgram(namedConnection(job, hardware)),
  run: async (context) => {
    await connect(context, namedConnection(context.job, hardware));
    // A shell that has shown its prompt to nobody shows it again.
    await context.connection.take(consoleSlot).sendLine("");
  },
});
