import type { BootStrategy } from "../../pipeline/strategy.ts";
import { bootloaderCommands } from "../bootloader/commands.ts";
import { bootloaderInterrupt } from "../bootloader/interrupt.ts";
import { lacksMethod } from "../bootloader/methods.ts";
import { bootloaderOverlay } from "../bootloader/overlay.ts";
import { connectDevice } from "../connection/connect-device.ts";
import { loginSteps } from "../login/login.ts";
import { resetDevice } from "../power/reset-device.ts";

/** iPXE's command line (DISPATCHER.md 12). */
export const ipxeBoot: BootStrategy = {
  family: "boot",
  name: "ipxe",
  refuses: ({ method }, job) =>
    method === "ipxe" ? lacksMethod("ipxe", job) : `the method is ${method}`,
  action: (block, context) => ({
    name: "bootloader-action",
    steps: [
      bootloaderOverlay("ipxe", block),
      connectDevice,
      {
        name: "bootloader-retry",
        retries: true,
        steps: [
          resetDevice(context.job, block),
          bootloaderInterrupt("ipxe"),
          bootloaderCommands("ipxe", block),
          ...loginSteps(block, context),
        ],
      },
    ],
  }),
};
