import { makeBootDisk } from "./boot-disk.ts";
import { startUboot, type UbootBed } from "./uboot.ts";

/**
 * A U-Boot that behaves as a Chromebook's depthcharge does: after reset it boots from the network, but has to be told what;
 * it reads the kernel's command line from a file, and kernel, device tree and ramdisk from one FIT image.
 */
export async function start(folder: string, say: (line: string) => void): Promise<UbootBed> {
  const bed = await startUboot(folder, say, "arm64", makeBootDisk(folder, SCRIPT));
  const place = bed.dictionary
    .split("\n")
    .filter((line) => /^\{% set (connection_command|\w+_command|console_device) /.test(line));
  return { ...bed, dictionary: [FIRST, ...place, ...VARIABLES, ""].join("\n") };
}

const FIRST = "{% extends 'base-depthcharge.jinja2' %}";

/** What it would try besides is taken from it: it then stops at its prompt. */
const SCRIPT = ["usb0", "scsi0", "nvme0", "dhcp"]
  .map((name) => `setenv bootcmd_${name} ${name === "dhcp" ? "echo Starting netboot" : "true"}\n`)
  .join("");

/** `env import` reads `bootargs=` and the file: the name is put into memory before it. */
const COMMANDS = [
  "setenv autoload no",
  "dhcp",
  "setenv serverip {SERVER_IP}",
  "mw.l 0x50000000 0x746f6f62",
  "mw.l 0x50000004 0x73677261",
  "mw.b 0x50000008 0x3d",
  "tftp 0x50000009 {CMDLINE}",
  "setexpr length ${filesize} + 9",
  "env import -t 0x50000000 ${length} bootargs",
  "tftp 0x50000000 {DEPTHCHARGE_KERNEL}",
  "bootm 0x50000000 {DEPTHCHARGE_RAMDISK}",
];

const VARIABLES = [
  "{% set mkimage_fit_arch = 'arm64' %}",
  "{% set fit_kernel_load_address = '0x40400000' %}",
  "{% set bootloader_prompt = '=>' %}",
  `{% set depthcharge_tftp_commands = '${COMMANDS.map((line) => `          - ${line}\n`).join("")}' %}`,
];
