import type { BootBlock } from "#protocol/job-actions.ts";
import { ptyTransport } from "../../drivers/pty-transport.ts";
import { listOfTexts } from "../../host/list-of-texts.ts";
import { runCommand } from "../../host/spawn.ts";
import { requireTool } from "../../host/tool.ts";
import type { Action, RunContext } from "../../pipeline/action.ts";
import { JobFailure } from "../../pipeline/job-failure.ts";
import { consoleSlot, overlayTarballSlot, promptsSlot } from "../../pipeline/job-slots.ts";
import { openConsole } from "../connection/open-console.ts";
import { fastbootBoard } from "../fastboot/fastboot-board.ts";

/** What a shell of Android shows when the block says no prompts. */
const ANDROID_PROMPTS = ["[$#] "];

/** The board's shell by adb, for one without a serial console (DISPATCHER.md 14). */
export const connectAdb = (block: BootBlock): Action => ({
  name: "connect-adb",
  gives: [consoleSlot, promptsSlot],
  onTimeout: "Infrastructure",
  validate: async () => requireTool("adb"),
  run: async (context) => {
    const { slots, job } = context;
    const { adbSerial } = fastbootBoard(job);
    await slots.find(consoleSlot)?.close();
    await adb(context, ["wait-for-device"]);
    openConsole(context, await ptyTransport(["adb", "-s", adbSerial, "shell"]));
    const prompts = listOfTexts(block["prompts"]);
    slots.put(promptsSlot, prompts.length > 0 ? prompts : ANDROID_PROMPTS);
  },
});

const ON_BOARD = "/data/local/tmp/lava-overlay.tar.gz";

/** Puts the overlay on the board, when tests need one. */
export const adbOverlayUnpack: Action = {
  name: "adb-overlay-unpack",
  onTimeout: "Infrastructure",
  run: async (context) => {
    const archive = context.slots.find(overlayTarballSlot);
    if (archive === undefined) return context.log.debug("no test needs an overlay: skipped");
    await adb(context, ["push", archive, ON_BOARD]);
    await adb(context, ["shell", `tar -C / -xzf ${ON_BOARD} && rm ${ON_BOARD}`]);
  },
};

/** @throws JobFailure Infrastructure when adb fails. */
async function adb({ job, signal, log }: RunContext, words: readonly string[]): Promise<void> {
  const argv = ["adb", "-s", fastbootBoard(job).adbSerial, ...words] as [string, ...string[]];
  log.debug(`Calling: ${JSON.stringify(argv)}`);
  const onLine = (line: string): void => log.debug(`>> ${line}`);
  const { status, output } = await runCommand(argv, { signal, onLine });
  if (status === 0) return;
  const said = output.trim().split("\n").at(-1) ?? "";
  throw new JobFailure(
    "Infrastructure",
    `'${argv.join(" ")}' failed: exit code ${status}: ${said}`,
  );
}
