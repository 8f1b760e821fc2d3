import type { DeviceConfiguration } from "./device-configuration.ts";
import type { JobAction } from "./job-actions.ts";
import { nearestWord } from "./nearest-word.ts";

/** Something that could do an action block, and why it won't; `accepts` when there is no reason. */
export interface StrategyVerdict {
  /** `tftp`, `u-boot`, `definitions`: the word of the job by which it is chosen. */
  name: string;
  accepts: boolean;
  /** The block asks for another one; whether the device could is not looked at. */
  isOther: boolean;
  reasons: string[];
}

/**
 * Keys of the device's configuration without which a method can't be (JOB.md 5.2, 6), as dotted paths; `a|b`:
 * one of them. In a path `{x}` stands for the block's own value of key x.
 */
type Needs = Readonly<Record<string, readonly string[]>>;

const deployMethod = (name: string): string => `actions/deploy/methods/${name}`;
const bootMethod = (name: string): string => `actions/boot/methods/${name}`;

const DEPLOY: Needs = {
  avh: [deployMethod("avh")],
  docker: [deployMethod("docker")],
  download: [],
  downloads: [],
  fastboot: [
    deployMethod("fastboot"),
    "fastboot_auto_detection|adb_serial_number",
    "fastboot_auto_detection|fastboot_serial_number",
    "fastboot_auto_detection|fastboot_options",
  ],
  flasher: [deployMethod("flasher/commands")],
  fvp: [],
  "iso-installer": [deployMethod("image")],
  mps: [deployMethod("mps"), "usb_filesystem_label"],
  musca: [deployMethod("musca"), "board_id"],
  nbd: [deployMethod("nbd")],
  nfs: [deployMethod("nfs")],
  overlay: [deployMethod("overlay")],
  qdl: [],
  recovery: [deployMethod("recovery")],
  sata: ["parameters/media/sata"],
  sd: ["parameters/media/sd"],
  ssh: [deployMethod("ssh")],
  tftp: [deployMethod("tftp")],
  tmpfs: [deployMethod("image")],
  "u-boot-ums": [deployMethod("u-boot-ums")],
  usb: ["parameters/media/usb"],
  "usbg-ms": [deployMethod("usbg-ms/enable"), deployMethod("usbg-ms/disable")],
  uuu: [bootMethod("uuu")],
  vemsd: [deployMethod("vemsd")],
};

const BOOT: Needs = {
  avh: [bootMethod("avh")],
  barebox: [bootMethod("barebox")],
  bootloader: [bootMethod("{bootloader}")],
  "cmsis-dap": [bootMethod("cmsis-dap/parameters/usb_mass_device"), "board_id"],
  depthcharge: [bootMethod("depthcharge")],
  dfu: [bootMethod("dfu"), "board_id"],
  docker: [bootMethod("docker")],
  fastboot: [bootMethod("fastboot")],
  fvp: [bootMethod("fvp")],
  gdb: [bootMethod("gdb/{commands}")],
  grub: [`${bootMethod("grub")}|${bootMethod("grub-efi")}`],
  "grub-efi": [bootMethod("grub-efi")],
  ipxe: [bootMethod("ipxe")],
  jlink: [bootMethod("jlink"), "board_id"],
  kexec: [],
  minimal: [bootMethod("minimal")],
  monitor: [bootMethod("qemu")],
  musca: [bootMethod("musca"), "board_id"],
  new_connection: ["commands/connections/{connection}"],
  openocd: [bootMethod("openocd"), "board_id"],
  pyocd: [bootMethod("pyocd"), "board_id"],
  qdl: [bootMethod("qdl"), "board_qdl_id"],
  qemu: [`${bootMethod("qemu")}|${bootMethod("qemu-nfs")}`],
  "qemu-iso": [bootMethod("qemu")],
  "qemu-nfs": [bootMethod("qemu-nfs")],
  recovery: ["commands/recovery_mode", "commands/recovery_exit"],
  schroot: [bootMethod("schroot")],
  ssh: [bootMethod("ssh")],
  "u-boot": [bootMethod("u-boot")],
  uefi: [bootMethod("uefi/parameters/shell_interrupt_string")],
  "uefi-menu": [
    bootMethod("uefi-menu/parameters/interrupt_prompt"),
    bootMethod("uefi-menu/parameters/interrupt_string"),
  ],
  uuu: [bootMethod("uuu/options")],
};

const TEST: Needs = {
  definitions: [],
  interactive: [],
  monitors: [],
  services: ["parameters/allow_test_services"],
};

/** Boot methods whose `commands` may name a set of the device type (JOB.md 6). */
const WITH_COMMAND_SETS = [
  "barebox",
  "depthcharge",
  "grub",
  "grub-efi",
  "ipxe",
  "u-boot",
  "uefi",
  "uefi-menu",
];
/** What the `command` action knows beside the device's own (JOB.md 4). */
const POWER_COMMANDS = [
  "hard_reset",
  "pre_power_command",
  "pre_os_command",
  "power_on",
  "power_off",
  "recovery_mode",
  "recovery_exit",
];
const OTHER_COMMANDS = ["stop_test_services", "usbg_ms_commands_disable"];

/** The methods that there are, in a job's words. LAVA's `nodebooter` is not among them: nobody says what it does. */
export const METHODS = {
  deploy: Object.keys(DEPLOY),
  boot: Object.keys(BOOT),
  test: Object.keys(TEST),
};

/** Every strategy for an action block on a device: the one that is asked for first, the others by name. */
export function strategiesFor(
  action: JobAction,
  configuration: DeviceConfiguration,
): StrategyVerdict[] {
  const verdict = strategyAsked(action, configuration);
  if (!verdict) return [];
  const { table, key, asked } = askedOf(action) ?? { table: {}, key: "", asked: "" };
  const reasons = [`the ${key} is ${asked}`];
  const others = Object.keys(table).filter((name) => name !== asked);
  return [verdict, ...others.map((name) => ({ name, accepts: false, isOther: true, reasons }))];
}

/** The one of them that is asked for; undefined for an action that is none of these. */
export function strategyAsked(
  action: JobAction,
  configuration: DeviceConfiguration,
): StrategyVerdict | undefined {
  const { boot, command } = action;
  const asked = askedOf(action);
  if (!asked) return command && judgeCommand(command.name, configuration);
  const verdict = judge(asked, configuration);
  const missing = boot && verdict.accepts ? missingCommandSet(boot, configuration) : undefined;
  return missing === undefined ? verdict : { ...verdict, accepts: false, reasons: [missing] };
}

interface Asked {
  readonly table: Needs;
  /** For people, as `asked` is a job's. */
  readonly key: string;
  readonly asked: string;
  readonly block: object;
}

function askedOf({ deploy, boot, test }: JobAction): Asked | undefined {
  if (deploy) return { table: DEPLOY, key: "deploy method", asked: deploy.to, block: deploy };
  if (boot) return { table: BOOT, key: "boot method", asked: boot.method, block: boot };
  if (!test) return undefined;
  const kind = Object.keys(TEST).find((name) => test[name] !== undefined) ?? "";
  return { table: TEST, key: "kind of test", asked: kind, block: test };
}

function judge(
  { table, key, asked, block }: Asked,
  configuration: DeviceConfiguration,
): StrategyVerdict {
  const needs = Object.hasOwn(table, asked) ? table[asked] : undefined;
  if (!needs) {
    const known = Object.keys(table);
    const near = didYouMean(asked, known) || `; expected one of ${known.join(", ")}`;
    const reasons = [`there is no ${key} ${JSON.stringify(asked)}${near}`];
    return { name: asked, accepts: false, isOther: false, reasons };
  }
  const reasons = needs.flatMap((need) => {
    const paths = need.split("|").map((path) => filled(path, block));
    return paths.some((path) => has(configuration, path)) ? [] : [lacks(configuration, paths)];
  });
  return { name: asked, accepts: reasons.length === 0, isOther: false, reasons };
}

function judgeCommand(name: string, configuration: DeviceConfiguration): StrategyVerdict {
  const commands = mappingAt(configuration, ["commands"]) ?? {};
  const own = Object.keys(mappingAt(commands, ["users"]) ?? {});
  const known = [...own, ...POWER_COMMANDS.filter((word) => word in commands), ...OTHER_COMMANDS];
  if (known.includes(name)) return { name: "command", accepts: true, isOther: false, reasons: [] };
  const reasons = [
    `the device has no command ${name} (it has ${known.join(", ")})${didYouMean(name, known)}`,
  ];
  return { name: "command", accepts: false, isOther: false, reasons };
}

function missingCommandSet(
  block: { method: string; commands?: unknown },
  configuration: DeviceConfiguration,
): string | undefined {
  const { method, commands } = block;
  if (typeof commands !== "string" || !WITH_COMMAND_SETS.includes(method)) return undefined;
  // GRUB started by UEFI does what is asked of GRUB.
  const methods = method === "grub" ? ["grub", "grub-efi"] : [method];
  const sets = methods.flatMap((name) =>
    Object.keys(mappingAt(configuration, ["actions", "boot", "methods", name]) ?? {}),
  );
  const known = sets.filter((name) => !["parameters", "menu_options", "sequence"].includes(name));
  if (known.includes(commands)) return undefined;
  return `the device's ${method} has no commands ${commands} (it has ${known.join(", ") || "none"})${didYouMean(commands, known)}`;
}

function lacks(configuration: DeviceConfiguration, paths: readonly string[]): string {
  const keys = paths.map((path) => path.replaceAll("/", "."));
  const parent = (paths[0] ?? "").split("/").slice(0, -1);
  const there = Object.keys(mappingAt(configuration, parent) ?? {});
  const offered =
    parent.length > 0 ? ` (${parent.join(".")} has ${there.join(", ") || "none"})` : "";
  return `the device has no ${keys.join(" or ")}${offered}`;
}

const filled = (path: string, block: object): string =>
  path.replaceAll(/\{(\w+)\}/g, (_, key: string) =>
    String((block as Record<string, unknown>)[key] ?? ""),
  );

/** Whether the key is there; its value may be empty: a method's presence is what counts. */
function has(configuration: object, path: string): boolean {
  const keys = path.split("/");
  const last = keys.pop() ?? "";
  const around = mappingAt(configuration, keys);
  if (around === undefined || !Object.hasOwn(around, last)) return false;
  return around[last] !== false;
}

function mappingAt(value: object, keys: readonly string[]): Record<string, unknown> | undefined {
  let at: unknown = value;
  for (const key of keys) {
    if (typeof at !== "object" || at === null || !Object.hasOwn(at, key)) return undefined;
    at = (at as Record<string, unknown>)[key];
  }
  return typeof at === "object" && at !== null ? (at as Record<string, unknown>) : undefined;
}

function didYouMean(word: string, known: readonly string[]): string {
  const near = nearestWord(word, known);
  return near === undefined ? "" : `; did you mean ${near}?`;
}
