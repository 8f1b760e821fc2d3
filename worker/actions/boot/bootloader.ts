import { refusal } from "../../host/device-methods.ts";
import { consoleSlot } from "../../pipeline/job-slots.ts";
import type { BootStrategy } from "../../pipeline/strategy.ts";
import { bootBootloader } from "../bootloader/boot-bootloader.ts";
import { isBootloader } from "../bootloader/methods.ts";
import { bootloaderOverlay } from "../bootloader/overlay.ts";

/** A board brought to the prompt of the bootloader that `bootloader:` names, and left there (DISPATCHER.md 12). */
export const bootloaderBoot: BootStrategy = {
  family: "boot",
  name: "bootloader",
  refuses: ({ method, bootloader }, job) => {
    if (method !== "bootloader") return `the method is ${method}`;
    if (!isBootloader(bootloader)) return `bootloader: ${String(bootloader)} is not known`;
    return refusal("boot", bootloader, bootloader, job);
  },
  action: (block, { job }) => {
    const { bootloader } = block;
    if (!isBootloader(bootloader)) throw new Error("a refused block has no plan");
    return {
      name: "boot-bootloader-retry",
      retries: true,
      gives: [consoleSlot],
      steps: [bootloaderOverlay(bootloader, block), bootBootloader(bootloader, block, job)],
    };
  },
};
