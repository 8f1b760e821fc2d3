import type { BootBlock } from "#protocol/job-actions.ts";
import { dispatcherIp } from "../../host/dispatcher-ip.ts";
import { listOfTexts } from "../../host/list-of-texts.ts";
import type { JobContext } from "../../pipeline/action.ts";
import { JobFailure } from "../../pipeline/job-failure.ts";
import type { BootKind } from "../../pipeline/job-slots.ts";
import { loadAddresses } from "./boot-kind.ts";
import { methodParameters, type BootloaderName } from "./methods.ts";

/** A placeholder's value by its name without braces; empty: known to be nothing. */
export type Placeholders = Readonly<Record<string, string>>;

/** Known to be nothing when no deployment gave them (DISPATCHER.md 10.4). */
const ALWAYS_KNOWN = [
  "KERNEL",
  "RAMDISK",
  "INITRD",
  "DTB",
  "TEE",
  "PRESEED_CONFIG",
  "PRESEED_LOCAL",
  "LAVA_MAC",
];

/** Everything that the commands of a bootloader may name: what the deployment left, completed for this boot. */
export function completePlaceholders(
  method: BootloaderName,
  block: BootBlock,
  job: JobContext,
  deployed: Placeholders,
  kind: BootKind,
): Placeholders {
  const address = dispatcherIp(job.dispatcher);
  const known = {
    ...Object.fromEntries(ALWAYS_KNOWN.map((name) => [name, ""])),
    ...deployed,
    // An earlier boot may have left its own in the table.
    ROOT: "",
    ROOT_PART: "",
    ...mediaPlaceholders(block),
    SERVER_IP: address,
    LAVA_DISPATCHER_IP: address,
    LAVA_JOB_ID: String(job.jobId),
    LAVA_MAC: macAddress(methodParameters(method, job)["lava_mac"]),
  };
  return { ...known, ...addressPlaceholders(method, job, known, kind) };
}

/** What a block says of files that are on a medium already (`kernel: /boot/vmlinuz`, `root_uuid`, `boot_part`). */
function mediaPlaceholders(block: BootBlock): Record<string, string> {
  const given: [string, unknown][] = [
    ["KERNEL", block["kernel"]],
    ["RAMDISK", block["ramdisk"]],
    ["INITRD", block["ramdisk"]],
    ["DTB", block["dtb"]],
    ["ROOT", block["root_uuid"]],
    ["ROOT_PART", block["boot_part"]],
  ];
  return Object.fromEntries(
    given.flatMap(([name, value]) =>
      typeof value === "string" || typeof value === "number" ? [[name, String(value)]] : [],
    ),
  );
}

function macAddress(value: unknown): string {
  if (value === undefined || value === null || value === "") return "";
  if (/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i.test(String(value))) return String(value);
  const message = `lava_mac of the device's boot method: ${JSON.stringify(value)} is no MAC address`;
  throw new JobFailure("Job", message);
}

function addressPlaceholders(
  method: BootloaderName,
  job: JobContext,
  known: Placeholders,
  { bootCommand }: BootKind,
): Record<string, string> {
  if (bootCommand === undefined) return {};
  const at = loadAddresses(bootCommand, job);
  const format = String(
    (job.device.actions.deploy as { parameters?: Record<string, unknown> | null }).parameters?.[
      "add_header"
    ] ?? "",
  );
  const hasRamdisk = Boolean(known["RAMDISK"] || known["INITRD"]);
  // U-Boot takes a ramdisk with its header, or a raw one whose size is said.
  const usesRamdisk = hasRamdisk && (method !== "u-boot" || ["u-boot", "raw"].includes(format));
  const ramdisk = usesRamdisk ? at.ramdisk : "-";
  const sized = usesRamdisk && (format === "raw" || isRawInitrd(known));
  const first = known["TEE"] ? at.tee : at.kernel;
  return {
    KERNEL_ADDR: at.kernel,
    RAMDISK_ADDR: ramdisk,
    DTB_ADDR: at.dtb,
    TEE_ADDR: at.tee,
    DTBO_ADDR: at.dtbo,
    DTB_BASE_ADDR: at.dtb,
    DTB_BASE_RESIZE: String(
      (job.device.parameters as Record<string, unknown> | null)?.["dtb_base_resize"] ?? 1_048_576,
    ),
    BOOTX: `${bootCommand} ${first} ${ramdisk}${sized ? ":${initrd_size}" : ""} ${at.dtb}`,
  };
}

/** A deployment of kind nbd hands its initrd over as it was downloaded: it has no header that says its size. */
const isRawInitrd = (known: Placeholders): boolean =>
  Boolean(known["INITRD"]) && Boolean(known["NBDSERVERIP"]);

export interface Substituted {
  readonly commands: string[];
  /** Commands that are left out, and the empty placeholder that each names. */
  readonly dropped: { readonly command: string; readonly placeholder: string }[];
}

/**
 * Puts values into commands (DISPATCHER.md 10.4): a command that names something empty is dropped, what is unknown stays
 * as it is. With `keepsEmpty` the name is blanked instead.
 */
export function substitute(
  commands: readonly string[],
  placeholders: Placeholders,
  { keepsEmpty = false } = {},
): Substituted {
  const dropped: Substituted["dropped"] = [];
  const done = commands.flatMap((command) => {
    let empty: string | undefined;
    const text = command.replace(/\{([A-Za-z0-9_]+)\}/g, (whole, name: string) => {
      if (!Object.hasOwn(placeholders, name)) return whole;
      const value = placeholders[name] ?? "";
      if (value === "") empty ??= name;
      return value;
    });
    if (empty === undefined || keepsEmpty) return [text];
    dropped.push({ command, placeholder: empty });
    return [];
  });
  return { commands: done, dropped };
}

/** `{APPLY_DTBO_COMMANDS}` stands for the device's commands, once for each device tree overlay of the deployment. */
export function expandOverlays(
  commands: readonly string[],
  applyCommands: unknown,
  deployed: Placeholders,
): string[] {
  const names = Object.keys(deployed)
    .filter((name) => /^DTBO\d+$/.test(name) && deployed[name] !== "")
    .sort((a, b) => Number(a.slice(4)) - Number(b.slice(4)));
  return commands.flatMap((command) => {
    if (!command.includes("{APPLY_DTBO_COMMANDS}")) return [command];
    return names.flatMap((name) =>
      listOfTexts(applyCommands).map((apply) => apply.replaceAll("{DTBO}", `{${name}}`)),
    );
  });
}
