import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import path from "node:path";
import { gzipSync } from "node:zlib";
import { freeUdpPort } from "../support/loopback-ports.ts";
import type { Bed } from "./bed.ts";
import { startFileShelf } from "./file-shelf.ts";
import { makeGuest } from "./guest.ts";
import { BUFFER, makeFastbootUboot } from "./uboot-fastboot.ts";
import { startVirtualBoard, type VirtualBoard } from "./virtual-board.ts";

export interface FastbootBed extends Bed {
  readonly rig: VirtualBoard;
  /** For `fastboot -s`. */
  readonly serial: string;
  /** Where the files of jobs are: `<url>boot.img`, `<url>rootfs.img`. */
  readonly files: string;
  /** U-Boot's command that starts the kernel of `boot.img`. */
  readonly bootCommand: string;
  /** The content of a partition of its card, copied into a file. */
  readPartition(label: string, into: string): void;
}

const SECTOR = 512;
const MIB = 1024 * 1024;
/** In sectors: aligned as partitioners do. */
const PARTITIONS = {
  boot: { first: 2048, last: 2048 + (8 * MIB) / SECTOR - 1 },
  rootfs: { first: 32768, last: 32768 + (96 * MIB) / SECTOR - 1 },
};

/** A board with U-Boot whose fastboot is reached by UDP, and whose flash is an SD card. */
export async function start(folder: string, say: (line: string) => void): Promise<FastbootBed> {
  const firmware = makeFastbootUboot(say);
  const guest = await makeGuest(say, "arm64");
  const card = makeCard(folder);
  const boot = makeBootImage(folder, guest);
  const shelf = await startFileShelf({ "boot.img": boot.file, "rootfs.img": makeRootfs(folder) });
  const port = await freeUdpPort();
  const rig = await startVirtualBoard(folder, [
    "qemu-system-aarch64",
    "-accel",
    "tcg",
    "-M",
    "virt",
    "-cpu",
    "cortex-a53",
    "-m",
    "1024",
    "-nodefaults",
    "-bios",
    firmware,
    "-netdev",
    `user,id=net,hostfwd=udp:127.0.0.1:${port}-10.0.2.15:5554`,
    "-device",
    "virtio-net-pci,netdev=net,romfile=",
    "-drive",
    `if=none,id=card,file=${card},format=raw,cache=unsafe`,
    "-device",
    "sdhci-pci",
    "-device",
    "sd-card,drive=card",
  ]);
  const serial = `udp:127.0.0.1:${port}`;
  return {
    rig,
    serial,
    files: shelf.url,
    bootCommand: boot.command,
    dictionary: `{% extends 'base-fastboot.jinja2' %}
{% set connection_command = 'tcp://127.0.0.1:${rig.consolePort}' %}
{% set hard_reset_command = '${rig.hardReset}' %}
{% set power_off_command = '${rig.powerOff}' %}
{% set fastboot_serial_number = '${serial}' %}
{% set adb_serial_number = fastboot_serial_number %}
{% set fastboot_sequence = ['no-flash-boot'] %}
{% set bootloader_prompt = '=> ' %}
{% set interrupt_prompt = 'Hit any key to stop autoboot' %}
{% set interrupt_char = ' ' %}
{% set fastboot_deploy_uboot_commands = [
  'setenv autoload no',
  'dhcp',
  'setenv bootargs console=ttyAMA0',
  "setenv fastboot_bootcmd '${boot.command}'",
  'fastboot udp',
] %}
`,
    hints: [
      `Its console: nc 127.0.0.1 ${rig.consolePort}`,
      `When it is in fastboot: fastboot -s ${serial} getvar version`,
      `Files for its jobs: ${shelf.url}boot.img, ${shelf.url}rootfs.img (a sparse image)`,
    ],
    readPartition: (label, into) => readPartition(card, label as keyof typeof PARTITIONS, into),
    close: async () => {
      await rig.close();
      await shelf.close();
    },
  };
}

function makeCard(folder: string): string {
  const card = path.join(folder, "card.img");
  writeFileSync(card, "");
  truncateSync(card, 128 * MIB);
  const words = Object.entries(PARTITIONS).flatMap(([label, { first, last }], index) => [
    "-n",
    `${index + 1}:${first}:${last}`,
    "-c",
    `${index + 1}:${label}`,
  ]);
  execFileSync("/usr/sbin/sgdisk", [...words, card], { stdio: "ignore" });
  return card;
}

function readPartition(card: string, label: keyof typeof PARTITIONS, into: string): void {
  const { first, last } = PARTITIONS[label];
  const words = [`skip=${first}`, `count=${last - first + 1}`, `bs=${SECTOR}`];
  execFileSync("dd", [`if=${card}`, `of=${into}`, ...words], { stdio: "ignore" });
}

/** An ext4 file system with one file, as Android's sparse image. */
function makeRootfs(folder: string): string {
  const content = path.join(folder, "content");
  mkdirSync(path.join(content, "etc"), { recursive: true });
  writeFileSync(path.join(content, "etc/hostname"), "flashed\n");
  const raw = path.join(folder, "rootfs.ext4");
  execFileSync("mke2fs", ["-q", "-t", "ext4", "-d", content, raw, "24M"], { stdio: "ignore" });
  const sparse = path.join(folder, "rootfs.img");
  execFileSync("img2simg", [raw, sparse], { stdio: "ignore" });
  return sparse;
}

const PAGE = 4096;

/** An Android boot image (version 0) of the guest's kernel and initramfs, and what U-Boot is to do with it. */
function makeBootImage(folder: string, guest: string): { file: string; command: string } {
  // Compressed: fastboot over UDP is slow.
  const kernel = gzipSync(readFileSync(path.join(guest, "vmlinuz")), { level: 1 });
  const ramdisk = readFileSync(path.join(guest, "initramfs.cpio.gz"));
  const header = Buffer.alloc(PAGE);
  header.write("ANDROID!");
  const fields = [kernel.length, 0x40400000, ramdisk.length, 0x46000000, 0, 0, 0x40000100, PAGE];
  fields.forEach((value, index) => header.writeUInt32LE(value, 8 + 4 * index));
  const padding = Buffer.alloc((PAGE - (kernel.length % PAGE)) % PAGE);
  const file = path.join(folder, "boot.img");
  writeFileSync(file, Buffer.concat([header, kernel, padding, ramdisk]));
  const at = BUFFER.address + PAGE;
  const ramdiskAt = at + kernel.length + padding.length;
  const hex = (value: number): string => `0x${value.toString(16)}`;
  // Out of the way of the kernel, which is larger than its image.
  const unpack = `unzip ${hex(at)} 0x50000000; cp.b ${hex(ramdiskAt)} 0x60000000 ${hex(ramdisk.length)}`;
  const command = `${unpack}; booti 0x50000000 0x60000000:${hex(ramdisk.length)} \${fdtcontroladdr}`;
  return { file, command };
}
