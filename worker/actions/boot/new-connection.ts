import { consoleSlot } from "../../pipeline/job-slots.ts";
import type { BootStrategy } from "../../pipeline/strategy.ts";
import { connectShell } from "../connection/connect-shell.ts";
import { loginSteps } from "../login/login.ts";

/** Another of the device's connections, as the console of a namespace of its own; nothing boots (DISPATCHER.md 12). */
export const newConnectionBoot: BootStrategy = {
  family: "boot",
  name: "new_connection",
  refuses: ({ method }) => (method === "new_connection" ? undefined : `the method is ${method}`),
  action: (block, context) => ({
    name: "secondary-shell-action",
    retries: true,
    gives: [consoleSlot],
    steps: [
      connectShell(block["connection"]),
      ...loginSteps(block, context, { kernelStart: false }),
    ],
  }),
};
