import type { BootBlock } from "#protocol/job-actions.ts";
import type { Action, RunContext } from "../../pipeline/action.ts";
import { JobFailure } from "../../pipeline/job-failure.ts";
import { bootKindSlot, placeholdersSlot, type BootKind } from "../../pipeline/job-slots.ts";
import { bootKindFor } from "./boot-kind.ts";
import { commandsOf, methodParameters, type BootloaderName } from "./methods.ts";
import {
  completePlaceholders,
  expandOverlays,
  substitute,
  type Placeholders,
} from "./placeholders.ts";
import { bootCommandsSlot } from "./slots.ts";

export interface OverlayOptions {
  /** `bootloader-overlay` unless said. */
  readonly name?: string;
  /** A command that names something empty is typed with a blank in its place, not dropped. */
  readonly keepsEmpty?: boolean;
  /** Placeholders that only this method knows. */
  readonly more?: (context: RunContext, known: Placeholders) => Promise<Placeholders>;
}

/**
 * `bootloader-overlay`: the commands of the block, with the values of this job in them (DISPATCHER.md 10.3 and 10.4), for
 * `bootloader-commands`. The complete table of values goes back into its slot.
 */
export const bootloaderOverlay = (
  method: BootloaderName,
  block: BootBlock,
  options: OverlayOptions = {},
): Action => ({
  name: options.name ?? "bootloader-overlay",
  gives: [bootCommandsSlot, placeholdersSlot],
  validate: async ({ job, log }) => {
    const commands = commandsOf(method, block, job);
    if (Array.isArray(block.commands) && block.method !== "bootloader") {
      log.warning(`commands: the job's own list is typed, not a set of the device`);
    }
    checkMedia(commands, block);
    if (block["kernel_type"] !== undefined) bootKindFor(block["kernel_type"], job);
  },
  run: (context) => fillIn(context, method, block, options),
});

async function fillIn(
  context: RunContext,
  method: BootloaderName,
  block: BootBlock,
  { keepsEmpty = false, more }: OverlayOptions,
): Promise<void> {
  const { job, slots, log } = context;
  const deployed = slots.find(placeholdersSlot) ?? {};
  const kind = kindOf(context, block);
  let known = completePlaceholders(method, block, job, deployed, kind);
  if (more) known = { ...known, ...(await more(context, known)) };
  slots.put(placeholdersSlot, known);
  const apply = methodParameters(method, job)["apply_dtbo_commands"];
  const wanted = expandOverlays(commandsOf(method, block, job), apply, deployed);
  const { commands, dropped } = substitute(wanted, known, { keepsEmpty });
  for (const { command, placeholder } of dropped) {
    log.debug(`left out, there is no ${placeholder}: ${command}`);
  }
  log.debug(`commands: ${JSON.stringify(commands)}`);
  slots.put(bootCommandsSlot, commands);
  if (method === "u-boot" && kind.bootCommand !== undefined) {
    context.record({
      kernel_addr: known["KERNEL_ADDR"],
      dtb_addr: known["DTB_ADDR"],
      ramdisk_addr: known["RAMDISK_ADDR"],
      tee_addr: known["TEE_ADDR"],
    });
  }
}

/** The block says it of a kernel on a medium, the deployment of its own. */
const kindOf = ({ slots, job }: RunContext, block: BootBlock): BootKind =>
  block["kernel_type"] === undefined
    ? (slots.find(bootKindSlot) ?? bootKindFor(undefined, job))
    : bootKindFor(block["kernel_type"], job);

/** Without them the commands that load from the medium would be dropped, and nobody would know why nothing boots. */
function checkMedia(commands: readonly string[], block: BootBlock): void {
  for (const [placeholder, key] of [
    ["{ROOT}", "root_uuid"],
    ["{ROOT_PART}", "boot_part"],
  ] as const) {
    if (block[key] !== undefined) continue;
    const command = commands.find((text) => text.includes(placeholder));
    if (command === undefined) continue;
    const message = `${key} is missing: the command ${JSON.stringify(command)} needs it for ${placeholder}`;
    throw new JobFailure("Job", message);
  }
}

/** `bootloader-from-media` and its kin: a place in the plan; what the block says of its medium is used by the overlay. */
export const fromMedia = (name: string): Action => ({ name });
