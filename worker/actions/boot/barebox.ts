import { refusal } from "../../host/device-methods.ts";
import { consoleSlot } from "../../pipeline/job-slots.ts";
import type { BootStrategy } from "../../pipeline/strategy.ts";
import { bootloaderCommands } from "../bootloader/commands.ts";
import { bootloaderInterrupt } from "../bootloader/interrupt.ts";
import { bootloaderOverlay } from "../bootloader/overlay.ts";
import { connectDevice } from "../connection/connect-device.ts";
import { loginSteps } from "../login/login.ts";
import { resetDevice } from "../power/reset-device.ts";

/** A board that barebox starts (DISPATCHER.md 12). */
export const bareboxBoot: BootStrategy = {
  family: "boot",
  name: "barebox",
  refuses: ({ method }, job) => refusal("boot", "barebox", method, job),
  action: (block, context) => ({
    name: "barebox-action",
    gives: [consoleSlot],
    steps: [
      bootloaderOverlay("barebox", block),
      connectDevice,
      {
        name: "barebox-retry",
        retries: true,
        steps: [
          resetDevice(context.job, block),
          bootloaderInterrupt("barebox"),
          bootloaderCommands("barebox", block),
          ...loginSteps(block, context),
        ],
      },
    ],
  }),
};
