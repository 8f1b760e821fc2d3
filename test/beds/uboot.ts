import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import path from "node:path";
import type { Bed } from "./bed.ts";
import { startFileShelf } from "./file-shelf.ts";
import { makeGuest } from "./guest.ts";
import { startVirtualBoard } from "./virtual-board.ts";

interface Board {
  /** QEMU's program and its own arguments, the machine's name left open for more. */
  readonly qemu: readonly [string, ...string[]];
  readonly machine: string;
  readonly firmware: string;
  /** What its kernel is started by: the prefix of the addresses in the dictionary. */
  readonly boot: string;
  readonly mkimageArch: string;
}

const BOARDS: Readonly<Record<"arm64" | "armhf", Board>> = {
  arm64: {
    qemu: ["qemu-system-aarch64", "-accel", "tcg", "-cpu", "cortex-a53", "-m", "512"],
    machine: "virt",
    firmware: "/usr/lib/u-boot/qemu_arm64/u-boot.bin",
    boot: "booti",
    mkimageArch: "arm64",
  },
  armhf: {
    qemu: ["qemu-system-arm", "-accel", "tcg", "-cpu", "cortex-a15", "-m", "512"],
    machine: "virt,highmem=off",
    firmware: "/usr/lib/u-boot/qemu_arm/u-boot.bin",
    boot: "bootz",
    mkimageArch: "arm",
  },
};

export interface UbootBed extends Bed {
  /** Settings of the worker that the board reaches. */
  readonly dispatcher: Readonly<Record<string, unknown>>;
  /** Where the files of jobs are: `<url>Image`, `<url>ramdisk.cpio.gz`, `<url>board.dtb`. */
  readonly files: string;
  readonly consolePort: number;
}

/**
 * A board that starts by Debian's U-Boot, in QEMU: its console on TCP, power by commands, a network in which the worker is
 * at a loopback address of the bed's own, so that TFTP's port 69 is free there. `more` are arguments for QEMU.
 */
export async function startUboot(
  folder: string,
  say: (line: string) => void,
  arch: keyof typeof BOARDS,
  more: readonly string[] = [],
): Promise<UbootBed> {
  const board = BOARDS[arch];
  if (!existsSync(board.firmware)) {
    throw new Error(`${board.firmware} is missing: install Debian's package u-boot-qemu`);
  }
  const guest = await makeGuest(say, arch);
  const [program, ...own] = board.qemu;
  const dtb = path.join(folder, "board.dtb");
  // The machine has other devices with a firmware than without: its tree is taken from it as it will be.
  const machine = ["-nodefaults", "-bios", board.firmware];
  const dump = ["-M", `${board.machine},dumpdtb=${dtb}`, "-display", "none"];
  execFileSync(program, [...own, ...machine, ...dump], { stdio: "ignore" });
  const shelf = await startFileShelf({
    Image: path.join(guest, "vmlinuz"),
    zImage: path.join(guest, "vmlinuz"),
    "ramdisk.cpio.gz": path.join(guest, "initramfs.cpio.gz"),
    "board.dtb": dtb,
  });
  const rig = await startVirtualBoard(folder, [
    program,
    ...own,
    ...machine,
    "-M",
    board.machine,
    "-netdev",
    "user,id=net",
    "-device",
    "virtio-net-pci,netdev=net,romfile=",
    ...more,
  ]);
  const address = loopbackAddress(process.pid, rig.consolePort);
  return {
    dictionary: `{% extends 'base-uboot.jinja2' %}
{% set connection_command = 'tcp://127.0.0.1:${rig.consolePort}' %}
{% set hard_reset_command = '${rig.hardReset}' %}
{% set power_on_command = '${rig.powerOn}' %}
{% set power_off_command = '${rig.powerOff}' %}
{% set console_device = 'ttyAMA0' %}
{% set uboot_mkimage_arch = '${board.mkimageArch}' %}
{% set ${board.boot}_kernel_addr = '0x40400000' %}
{% set ${board.boot}_dtb_addr = '0x43e00000' %}
{% set ${board.boot}_ramdisk_addr = '0x44000000' %}
`,
    dispatcher: { dispatcher_ip: address, services_address: address },
    files: shelf.url,
    consolePort: rig.consolePort,
    hints: [
      `Its console: nc 127.0.0.1 ${rig.consolePort}`,
      `Press its reset button: ${rig.hardReset}`,
      `Files for its jobs: ${shelf.url}Image (zImage), ${shelf.url}ramdisk.cpio.gz, ${shelf.url}board.dtb`,
      `Settings of the worker: dispatcher_ip and services_address ${address}`,
    ],
    close: async () => {
      await rig.close();
      await shelf.close();
    },
  };
}

/** QEMU's network hands what the board sends there to this machine's loopback; a bed each has one of its own. */
const loopbackAddress = (...seeds: readonly number[]): string => {
  const seed = seeds.reduce((sum, next) => sum * 31 + next, 0);
  return `127.${1 + (seed % 250)}.${1 + (Math.trunc(seed / 250) % 250)}.9`;
};
