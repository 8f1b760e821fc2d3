import { refusal } from "../../host/device-methods.ts";
import { consoleSlot } from "../../pipeline/job-slots.ts";
import type { BootStrategy } from "../../pipeline/strategy.ts";
import { connectDevice } from "../connection/connect-device.ts";
import { waitUsbSerial } from "../connection/wait-usb.ts";
import { loginSteps } from "../login/login.ts";
import { resetDevice } from "../power/reset-device.ts";

/** A Musca board that was deployed: its serial port comes with its power (DISPATCHER.md 12). */
export const muscaBoot: BootStrategy = {
  family: "boot",
  name: "musca",
  refuses: ({ method }, job) => refusal("boot", "musca", method, job, ["board_id"]),
  action: (block, context) => ({
    name: "musca-boot",
    retries: true,
    gives: [consoleSlot],
    steps: [
      resetDevice(context.job, block),
      waitUsbSerial,
      connectDevice,
      ...loginSteps(block, context),
    ],
  }),
};
