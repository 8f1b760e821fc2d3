import { writeFile } from "node:fs/promises";
import path from "node:path";
import type { BootBlock } from "#protocol/job-actions.ts";
import { refusal } from "../../host/device-methods.ts";
import type { Action, JobContext, RunContext } from "../../pipeline/action.ts";
import { inUrl } from "../../host/dispatcher-ip.ts";
import { JobFailure } from "../../pipeline/job-failure.ts";
import { placeholdersSlot, tftpFilesSlot } from "../../pipeline/job-slots.ts";
import type { BootStrategy } from "../../pipeline/strategy.ts";
import { bootloaderCommands } from "../bootloader/commands.ts";
import { bootloaderInterrupt } from "../bootloader/interrupt.ts";
import { methodParameters } from "../bootloader/methods.ts";
import { bootloaderOverlay } from "../bootloader/overlay.ts";
import { bootCommandsSlot } from "../bootloader/slots.ts";
import { connectDevice } from "../connection/connect-device.ts";
import { loginSteps } from "../login/login.ts";
import { resetDevice } from "../power/reset-device.ts";

/** iPXE's command line (DISPATCHER.md 12). */
export const ipxeBoot: BootStrategy = {
  family: "boot",
  name: "ipxe",
  refuses: ({ method }, job) => refusal("boot", "ipxe", method, job),
  action: (block, context) => ({
    name: "bootloader-action",
    steps: [
      usesScript(block, context.job) ? scriptOverlay(block) : bootloaderOverlay("ipxe", block),
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

/** `use_bootscript` of the block, else of the device. */
const usesScript = (block: BootBlock, job: JobContext): boolean =>
  (block["use_bootscript"] ?? methodParameters("ipxe", job)["use_bootscript"]) === true;

/** The commands go into a file beside the deployed ones; only its name is typed (DISPATCHER.md 12, `use_bootscript`). */
function scriptOverlay(block: BootBlock): Action {
  const overlay = bootloaderOverlay("ipxe", block, { keepsEmpty: true });
  return {
    ...overlay,
    run: async (context) => {
      await overlay.run?.(context);
      const { slots } = context;
      const url = await writeScript(context, slots.take(bootCommandsSlot));
      slots.put(bootCommandsSlot, ["dhcp net0", `chain ${url}`]);
    },
  };
}

const SCRIPT = "script.ipxe";

/** The script's address, as the DUT reaches it. */
async function writeScript(
  { slots, log }: RunContext,
  commands: readonly string[],
): Promise<string> {
  const { SERVER_IP: server = "" } = slots.take(placeholdersSlot);
  const files = slots.find(tftpFilesSlot);
  if (files === undefined) {
    const message =
      "use_bootscript needs a `deploy: to: tftp` before it: the script is put beside its files";
    throw new JobFailure("Job", message);
  }
  const file = `${files.tftpPath}/${SCRIPT}`;
  const text = ["#!ipxe", ...commands].map((line) => `${line}\n`).join("");
  await writeFile(path.join(files.folder, SCRIPT), text);
  log.debug(`${file}:\n${text}`);
  return `tftp://${inUrl(server)}/${file}`;
}
