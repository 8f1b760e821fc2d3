import { readYaml } from "#protocol/read-yaml.ts";
import { listOfTexts } from "./list-of-texts.ts";
import { mappingOf } from "./mapping-of.ts";
import { shellWords } from "./shell-words.ts";

/** Boot methods that start QEMU on the worker, and whose options of the device they take. */
const METHODS = new Map<unknown, string>([
  ["qemu", "qemu"],
  ["monitor", "qemu"],
  ["qemu-iso", "qemu"],
  ["qemu-nfs", "qemu-nfs"],
]);
/** What QEMU gives a guest of which nobody says how much (qemu-system(1), `-m`). */
const USUAL_BYTES = 128 * 2 ** 20;
const UNITS: Readonly<Record<string, number>> = {
  B: 1,
  K: 2 ** 10,
  M: 2 ** 20,
  G: 2 ** 30,
  T: 2 ** 40,
};

/** Of a ticket: definition and device are YAML, empty where nothing is known. */
export interface GuestTicket {
  readonly definition?: string | undefined;
  readonly device?: string | undefined;
}

/**
 * Memory that a job's guest in QEMU may take as a process of this worker, in bytes: what `-m` says in the device's options
 * or in an `image_arg` of the job; of several guests that of the largest, since a device has one at a time. 0 for a job
 * that starts none here: a container's (`docker:` of the boot) is counted where the container is.
 */
export function guestMemory({ definition = "", device = "" }: GuestTicket): number {
  const { actions } = mappingOf(readYaml(definition).value);
  const blocks = Array.isArray(actions) ? actions.map(mappingOf) : [];
  const methods = new Set(
    blocks
      .map(({ boot }) => mappingOf(boot))
      .filter(({ docker }) => docker === undefined)
      .map(({ method }) => METHODS.get(method))
      .filter((method) => method !== undefined),
  );
  if (methods.size === 0) return 0;
  const known = readAt(readYaml(device).value, ["actions", "boot", "methods"]);
  const images = blocks.flatMap(({ deploy }) =>
    Object.values(mappingOf(mappingOf(deploy)["images"])),
  );
  const args = images.map((image) => mappingOf(image)["image_arg"]).filter(isText);
  const sizes = [...methods].map((method) => {
    const { options, extra } = readAt(known[method], ["parameters"]);
    return sizeIn([...listOfTexts(options), ...listOfTexts(extra), ...args]);
  });
  return Math.max(...sizes);
}

const isText = (value: unknown): value is string => typeof value === "string";

const readAt = (value: unknown, keys: readonly string[]): Record<string, unknown> =>
  keys.reduce((at, key) => mappingOf(at[key]), mappingOf(value));

/** Of several `-m` QEMU takes the last. */
function sizeIn(options: readonly string[]): number {
  const words = options.flatMap(wordsOf);
  const last = words.findLastIndex((word) => word === "-m" || word === "--m");
  return last === -1 ? USUAL_BYTES : (bytesOf(words[last + 1] ?? "") ?? USUAL_BYTES);
}

/** What can't be split ends the job before QEMU begins. */
function wordsOf(text: string): string[] {
  try {
    return shellWords(text);
  } catch {
    return [];
  }
}

/** `512`, `1.5G`, `size=1G,slots=2,maxmem=4G`. */
function bytesOf(text: string): number | undefined {
  const size = /^(?:size=)?(\d+(?:\.\d+)?)([BKMGT]?)(?:,|$)/i.exec(text);
  if (!size) return undefined;
  const [, count = "", unit = ""] = size;
  return Math.floor(Number(count) * (UNITS[unit.toUpperCase() || "M"] ?? 1));
}
