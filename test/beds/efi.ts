import { execFileSync } from "node:child_process";
import { copyFile, mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import type { Bed } from "./bed.ts";
import { startFileShelf } from "./file-shelf.ts";
import { makeGuest } from "./guest.ts";
import { startVirtualBoard, type VirtualBoard } from "./virtual-board.ts";

const FIRMWARE = "/usr/share/OVMF/OVMF_CODE_4M.fd";
const VARIABLES = "/usr/share/OVMF/OVMF_VARS_4M.fd";

export interface PcBed extends Bed {
  /** The worker's settings with which a job's files come to this device. */
  readonly dispatcher: Readonly<Record<string, unknown>>;
  /** Where the files of jobs are: `<url>vmlinuz`, `<url>ramdisk.cpio.gz`. */
  readonly files: string;
}

/** An x86-64 machine that QEMU emulates, with its network card and the TFTP server of its network. */
export interface Pc {
  /** Arguments for QEMU beyond those of every machine. */
  readonly argv: readonly string[];
  /** What the network's DHCP server names as the file to boot. */
  readonly bootFile?: string;
  /** The network card has its boot ROM, iPXE; without it the firmware's own driver is used. */
  readonly hasBootRom?: boolean;
  /** The device's dictionary without its connection and its power. */
  readonly dictionary: string;
}

/** Starts it, switched off. Its files for TFTP are in `tftp` of the folder. */
export async function startPc(folder: string, say: (line: string) => void, pc: Pc): Promise<PcBed> {
  const guest = await makeGuest(say, "amd64");
  const tftp = path.join(folder, "tftp");
  await mkdir(tftp, { recursive: true });
  // It is booted from only where there is a file: else the firmware would wait for an answer for minutes.
  const [file, index] =
    pc.bootFile === undefined ? ["", ""] : [`,bootfile=${pc.bootFile}`, ",bootindex=1"];
  const rom = pc.hasBootRom ? "" : ",romfile=";
  const board = await startVirtualBoard(folder, [
    ...(["qemu-system-x86_64", "-accel", "tcg", "-m", "512", "-nodefaults"] as const),
    ...["-netdev", `user,id=net,tftp=${tftp}${file}`],
    ...["-device", `virtio-net-pci,netdev=net${index}${rom}`],
    ...pc.argv,
  ]);
  const shelf = await startFileShelf({
    vmlinuz: path.join(guest, "vmlinuz"),
    "ramdisk.cpio.gz": path.join(guest, "initramfs.cpio.gz"),
  });
  return {
    files: shelf.url,
    dictionary: pc.dictionary + placeOf(board),
    dispatcher: { dispatcher_ip: "10.0.2.2", services_address: "127.0.0.1", tftp_dir: tftp },
    hints: [
      `Its console: nc 127.0.0.1 ${board.consolePort}`,
      `Switch it on: ${board.powerOn}`,
      `It fetches files of ${tftp} by TFTP: settings of the worker are dispatcher_ip 10.0.2.2 and tftp_dir ${tftp}`,
      `Files for its jobs: ${shelf.url}vmlinuz, ${shelf.url}ramdisk.cpio.gz`,
    ],
    close: async () => {
      await board.close();
      await shelf.close();
    },
  };
}

const placeOf = (board: VirtualBoard): string =>
  `{% set connection_command = 'tcp://127.0.0.1:${board.consolePort}' %}
{% set hard_reset_command = '${board.hardReset}' %}
{% set power_on_command = '${board.powerOn}' %}
{% set power_off_command = '${board.powerOff}' %}
`;

/** Arguments for a machine with Debian's OVMF, whose variables are its own. */
export async function efiFirmware(folder: string): Promise<string[]> {
  const variables = path.join(folder, "variables.fd");
  await copyFile(VARIABLES, variables);
  return [
    ...["-M", "q35"],
    ...["-drive", `if=pflash,format=raw,unit=0,readonly=on,file=${FIRMWARE}`],
    ...["-drive", `if=pflash,format=raw,unit=1,file=${variables}`],
  ];
}

const MODULES =
  "boot cat configfile echo efinet gzio halt linux ls minicmd net normal read reboot regexp sleep test tftp true";

/** Makes GRUB with its configuration, and more files in its memory disk, as one program for the firmware. */
export async function makeGrub(
  folder: string,
  program: string,
  files: Readonly<Record<string, string>>,
): Promise<void> {
  const sources: string[] = [];
  for (const [name, text] of Object.entries(files)) {
    const file = path.join(folder, name);
    await writeFile(file, text);
    sources.push(`boot/grub/${name}=${file}`);
  }
  execFileSync(
    "grub-mkstandalone",
    [
      ...["-O", "x86_64-efi", "-o", program, "--locales=", "--fonts=", "--themes="],
      ...[`--modules=${MODULES}`, ...sources],
    ],
    { stdio: ["ignore", "ignore", "pipe"] },
  );
}

/** A disk with a FAT file system; files by name in it. */
export function makeFat(image: string, files: Readonly<Record<string, string>>): void {
  execFileSync("/usr/sbin/mkfs.vfat", ["-C", "-n", "DISK", image, String(64 * 1024)]);
  for (const [name, file] of Object.entries(files)) {
    execFileSync("mcopy", ["-i", image, file, `::${name}`]);
  }
}
