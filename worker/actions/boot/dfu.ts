import { pythonRegex } from "../../console/python-regex.ts";
import { dfuArgvs } from "../../drivers/flashers/dfu-util.ts";
import { checkNoPaths } from "../../drivers/flashers/job-files.ts";
import { bootMethod, refusal } from "../../host/device-methods.ts";
import { runTool } from "../../drivers/flashers/run-tool.ts";
import { listOfTexts } from "../../host/list-of-texts.ts";
import { requireTool } from "../../host/tool.ts";
import type { Action, JobContext, RunContext } from "../../pipeline/action.ts";
import { JobFailure } from "../../pipeline/job-failure.ts";
import { consoleSlot, imagesSlot, type DeployedImage } from "../../pipeline/job-slots.ts";
import type { BootStrategy } from "../../pipeline/strategy.ts";
import { typeCommands } from "../bootloader/commands.ts";
import { bootloaderInterrupt } from "../bootloader/interrupt.ts";
import { bootloaderSettings } from "../bootloader/methods.ts";
import { connectDevice } from "../connection/connect-device.ts";
import { boardId, boardOnUsb, waitDfuDevice } from "../connection/wait-usb.ts";
import { resetDevice } from "../power/reset-device.ts";

/** A board whose flash is written over USB DFU, of its hardware or of U-Boot (DISPATCHER.md 12). */
export const dfuBoot: BootStrategy = {
  family: "boot",
  name: "dfu",
  refuses: ({ method }, job) => refusal("boot", "dfu", method, job, ["board_id"]),
  action: (_block, { job }) => ({
    name: "boot-dfu-retry",
    retries: true,
    needs: [imagesSlot],
    steps: [
      connectDevice,
      resetDevice(job),
      ...(isOfUBoot(job) ? [uBootInterrupt, enterDfu] : []),
      waitDfuDevice,
      flashDfu,
    ],
  }),
};

const methodOf = ({ device }: JobContext): Record<string, unknown> =>
  (device.actions.boot.methods?.["dfu"] ?? {}) as Record<string, unknown>;

const isOfUBoot = (job: JobContext): boolean => methodOf(job)["implementation"] === "u-boot";

const commandOf = (job: JobContext): string => {
  const { command } = bootMethod(job, "dfu");
  return typeof command === "string" && command !== "" ? command : "dfu-util";
};

/** The board's DFU is U-Boot's: it is stopped at its prompt first. */
const uBootInterrupt = bootloaderInterrupt("u-boot");

/** Types the dictionary's `enter-commands`; the last one waits for the host. */
const enterDfu: Action = {
  name: "enter-dfu",
  needs: [consoleSlot],
  validate: async ({ job }) => void enterCommands(job),
  run: async (context) => {
    const { job } = context;
    const constants = (job.device.constants as Record<string, unknown>)["u-boot"];
    const { "dfu-download": message } = (constants ?? {}) as Record<string, unknown>;
    const final = typeof message === "string" && message !== "" ? message : DFU_READY;
    await typeCommands(context, bootloaderSettings("u-boot", job), enterCommands(job), {
      final: pythonRegex(final),
    });
  },
};

/** What U-Boot's `dfu` command says when it waits for the host. */
const DFU_READY = String.raw`DOWNLOAD \.\.\. OK\r\nCtrl\+C to exit \.\.\.`;

function enterCommands(job: JobContext): string[] {
  const commands = listOfTexts(bootMethod(job, "dfu")["enter-commands"]);
  if (commands.length > 0) return commands;
  const where = "actions.boot.methods.dfu.parameters.enter-commands";
  throw new JobFailure(
    "Configuration",
    `${where} is empty: expected U-Boot's commands to enter DFU`,
  );
}

const flashDfu: Action = {
  name: "flash-dfu",
  needs: [imagesSlot],
  validate: async ({ job }) => {
    boardId(job);
    requireTool(commandOf(job));
  },
  run: async (context) => {
    const { job, connection } = context;
    const resets = methodOf(job)["reset_works"] === true;
    for (const argv of dfuArgvs(commandOf(job), boardOnUsb(job), imagesOf(context), resets)) {
      await runTool(context, argv);
    }
    // Without a reset U-Boot goes on waiting for the host: whoever comes next wants its prompt.
    if (isOfUBoot(job) && !resets) await connection.find(consoleSlot)?.send("\u0003");
  },
};

function imagesOf({ slots }: RunContext): DeployedImage[] {
  const images = [...slots.take(imagesSlot).values()];
  for (const { label, imageArg = "" } of images) checkNoPaths(imageArg, `image_arg of ${label}`);
  return images;
}
