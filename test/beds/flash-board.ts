import { copyFileSync, existsSync, truncateSync, writeFileSync } from "node:fs";
import path from "node:path";
import type { Bed } from "./bed.ts";
import { makeGuest } from "./guest.ts";
import { startVirtualBoard, type VirtualBoard } from "./virtual-board.ts";

export interface FlashBoard extends Bed {
  readonly board: VirtualBoard;
  /** The file that is the board's flash. */
  readonly flash: string;
}

const FLASH_BYTES = 64 * 1024 * 1024;

/** A board whose flash is a file of this machine, empty at first; its kernel is built in, its root is the flash. */
export async function start(folder: string, say: (line: string) => void): Promise<FlashBoard> {
  const guest = await makeGuest(say, "amd64");
  const initramfs = path.join(folder, "initramfs");
  copyFileSync(path.join(guest, "initramfs.cpio.gz"), initramfs);
  return boardWith(folder, [
    "qemu-system-x86_64",
    "-accel",
    "tcg",
    "-m",
    "512",
    "-nodefaults",
    "-kernel",
    path.join(guest, "vmlinuz"),
    "-initrd",
    initramfs,
    "-append",
    "console=ttyS0 root=/dev/vda",
  ]);
}

/** A board that Debian's U-Boot starts, which boots what is on its flash by itself. */
export async function startUbootBoard(folder: string): Promise<FlashBoard> {
  const firmware = "/usr/lib/u-boot/qemu_arm64/u-boot.bin";
  if (!existsSync(firmware)) throw new Error(`${firmware} is missing: install u-boot-qemu`);
  return boardWith(folder, [
    "qemu-system-aarch64",
    "-accel",
    "tcg",
    "-M",
    "virt",
    "-cpu",
    "cortex-a53",
    "-m",
    "512",
    "-nodefaults",
    "-bios",
    firmware,
  ]);
}

async function boardWith(
  folder: string,
  argv: readonly [string, ...string[]],
): Promise<FlashBoard> {
  const flash = path.join(folder, "flash.img");
  writeFileSync(flash, "");
  truncateSync(flash, FLASH_BYTES);
  const [program, ...args] = argv;
  const board = await startVirtualBoard(folder, [
    program,
    ...args,
    "-drive",
    `if=none,id=flash,format=raw,file=${flash}`,
    "-device",
    "virtio-blk-pci,drive=flash",
  ]);
  return {
    board,
    flash,
    dictionary: `{% extends 'base-uboot.jinja2' %}
{% set flasher_deploy_commands = ['dd conv=notrunc bs=1M if={ROOTFS} of=${flash}'] %}
{% set connection_command = 'tcp://127.0.0.1:${board.consolePort}' %}
{% set hard_reset_command = '${board.hardReset}' %}
{% set power_on_command = '${board.powerOn}' %}
{% set power_off_command = '${board.powerOff}' %}
`,
    hints: [`Its console: nc 127.0.0.1 ${board.consolePort}`, `Its flash: ${flash}`],
    close: () => board.close(),
  };
}

/** What a page's dictionary says of a board, with this one's console and power in it. */
export const onBoard = (dictionary: string, { board }: FlashBoard): string =>
  dictionary
    .replace("tcp://127.0.0.1:7003", `tcp://127.0.0.1:${board.consolePort}`)
    .replace("/usr/local/bin/board-power reset", board.hardReset)
    .replace("/usr/local/bin/board-power off", board.powerOff);
