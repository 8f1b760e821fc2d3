import type { BootBlock } from "#protocol/job-actions.ts";
import { pythonRegex } from "../../console/python-regex.ts";
import type { Discard } from "../../console/type-line.ts";
import { listOfTexts } from "../../host/list-of-texts.ts";
import { mappingOf } from "../../host/mapping-of.ts";
import type { JobContext } from "../../pipeline/action.ts";
import { JobFailure } from "../../pipeline/job-failure.ts";

/** How the far side is talked to when neither the device's method nor its constants say it (DISPATCHER.md 10.1). */
interface Defaults {
  /** Regular expression of what a bootloader says while it can still be interrupted. */
  readonly interruptPrompt?: string;
  readonly interruptCharacter?: string;
  /** Letters that are typed with Ctrl, instead of the character. */
  readonly interruptControl?: readonly string[];
  readonly prompt: string;
  /** What the loader says when it hands over; without it the last command is not waited for. */
  readonly finalMessage?: string;
  readonly lineEnd?: string;
  /**
   * The loader echoes a line as it is typed and this discards it, so that a line is executed only after its echo
   * proved that no character was lost.
   */
  readonly discard?: Discard;
}

/** The bootloaders that share one conversation. What differs between them stands here. */
const METHODS = {
  "u-boot": {
    interruptPrompt: "Hit any key to stop autoboot",
    interruptCharacter: " ",
    prompt: "=>",
    finalMessage: "Starting kernel",
    discard: "ctrl-c",
  },
  barebox: {
    interruptPrompt: "Hit m for menu or any other key to stop autoboot",
    interruptCharacter: " ",
    prompt: "barebox",
    finalMessage: "Starting kernel",
    discard: "ctrl-c",
  },
  depthcharge: { prompt: "dpch:", finalMessage: "Starting kernel" },
  grub: {
    interruptPrompt: "for a command-line",
    interruptCharacter: "c",
    prompt: "grub>",
    discard: "ctrl-e-u",
  },
  "grub-efi": {
    interruptPrompt: "for a command-line",
    interruptCharacter: "c",
    prompt: "grub>",
    discard: "ctrl-e-u",
  },
  ipxe: {
    interruptPrompt: "Press Ctrl-B for the iPXE command line",
    interruptControl: ["b"],
    prompt: "iPXE>",
    discard: "ctrl-c",
  },
  uefi: { prompt: "Shell>", lineEnd: "\r\n", discard: "escape" },
  "uefi-menu": { prompt: "Shell>" },
} as const satisfies Record<string, Defaults>;

export type BootloaderName = keyof typeof METHODS;

/** Whether a boot method is one of the bootloaders that this engine talks to. */
export const isBootloader = (name: unknown): name is BootloaderName =>
  typeof name === "string" && Object.hasOwn(METHODS, name);

/** How to talk to the bootloader of one device: its method's parameters, else its constants, else the table. */
export interface BootloaderSettings {
  readonly name: BootloaderName;
  /** False: it comes to its prompt by itself. */
  readonly needsInterrupt: boolean;
  readonly interruptPrompt: RegExp;
  readonly interruptCharacter: string;
  readonly interruptControl: readonly string[];
  /** Whether a line end follows the interrupting character. */
  readonly interruptNewline: boolean;
  readonly prompt: RegExp;
  readonly errorMessages: readonly RegExp[];
  readonly finalMessage: RegExp | undefined;
  readonly lineEnd: string;
  readonly discard: Discard | undefined;
}

/** @throws JobFailure Test when a regular expression is wrong. */
export function bootloaderSettings(
  name: BootloaderName,
  job: JobContext,
  block?: BootBlock,
): BootloaderSettings {
  const defaults: Defaults = METHODS[name];
  const parameters = methodParameters(name, job);
  const constants = bootloaderConstants(name, job);
  const text = (...candidates: unknown[]): string | undefined =>
    candidates.filter((value) => value !== undefined && value !== null).map(String)[0];
  // An empty text means "the usual one" here: the templates write it when a dictionary says nothing.
  const nonEmpty = (...candidates: unknown[]): string | undefined =>
    text(...candidates.map((value) => (value === "" ? undefined : value)));
  const final = text(
    block?.parameters?.["bootloader-final-message"],
    constants["final-message"],
    defaults.finalMessage,
  );
  const control = parameters["interrupt_ctrl_list"] ?? constants["interrupt_ctrl_list"];
  return {
    name,
    needsInterrupt: parameters["needs_interrupt"] !== false,
    interruptPrompt: pythonRegex(
      nonEmpty(
        parameters["interrupt_prompt"],
        constants["interrupt-prompt"],
        defaults.interruptPrompt,
        defaults.prompt,
      ) ?? "",
    ),
    interruptCharacter:
      nonEmpty(
        parameters["interrupt_char"],
        parameters["interrupt_character"],
        constants["interrupt-character"],
        defaults.interruptCharacter,
      ) ?? "",
    interruptControl:
      control === undefined ? (defaults.interruptControl ?? []) : listOfTexts(control),
    interruptNewline: constants["interrupt-newline"] !== false,
    prompt: pythonRegex(nonEmpty(parameters["bootloader_prompt"], defaults.prompt) ?? ""),
    errorMessages: errorMessages(name, job),
    finalMessage: final ? pythonRegex(final) : undefined,
    lineEnd: defaults.lineEnd ?? "\n",
    discard: defaults.discard,
  };
}

/** What the device's bootloader says when it fails (constants, DISPATCHER.md 10.2); empty when unknown. */
export const errorMessages = (name: string, job: JobContext): RegExp[] =>
  listOfTexts(bootloaderConstants(name, job)["error-messages"]).map((message) =>
    pythonRegex(message),
  );

/** `actions.boot.methods.<name>.parameters` of the device. */
export const methodParameters = (name: string, job: JobContext): Record<string, unknown> =>
  mappingOf(deviceMethod(name, job)["parameters"]);

/** `actions.boot.methods.<name>` of the device; empty when it has none or it is null. */
export const deviceMethod = (name: string, { device }: JobContext): Record<string, unknown> =>
  mappingOf((device.actions.boot.methods as Record<string, unknown> | null)?.[name]);

const bootloaderConstants = (name: string, { device }: JobContext): Record<string, unknown> =>
  mappingOf((device.constants as Record<string, unknown>)[name]);

/**
 * The commands of a boot block as they are before substitution (DISPATCHER.md 10.3): its own list, or the set of the
 * device that it names.
 *
 * @throws JobFailure Job when the device has no such set.
 */
export function commandsOf(name: string, block: BootBlock, job: JobContext): string[] {
  const { commands } = block;
  if (commands === undefined) return [];
  if (Array.isArray(commands)) return commands.map(String);
  const set = deviceMethod(name, job)[commands];
  const listed = mappingOf(set)["commands"];
  if (listed !== undefined && commands !== "parameters") return listOfTexts(listed);
  const sets = Object.keys(deviceMethod(name, job)).filter((key) => key !== "parameters");
  const message = `commands: the device's method ${name} has no set ${JSON.stringify(commands)}; it has ${sets.join(", ") || "none"}`;
  throw new JobFailure("Job", message);
}
