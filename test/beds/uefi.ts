import { writeFile } from "node:fs/promises";
import path from "node:path";
import { efiFirmware, makeFat, makeGrub, startPc, type PcBed } from "./efi.ts";
import { SHORT_MENU } from "./firmware-menu.ts";

/** Starts the firmware's menu, and afterwards offers to go on, as the shell itself does when it starts. */
const STARTUP = ["@echo -off", "FS0:\\menu.efi", "ver", "pause", ""].join("\r\n");

/** A board with UEFI that comes to its shell through a menu, with a disk to put files on. */
export async function start(folder: string, say: (line: string) => void): Promise<PcBed> {
  const menu = path.join(folder, "menu.efi");
  const startup = path.join(folder, "startup.nsh");
  await makeGrub(folder, menu, { "grub.cfg": SHORT_MENU });
  await writeFile(startup, STARTUP);
  return startShell(folder, say, { "menu.efi": menu, "startup.nsh": startup });
}

/** A board with UEFI that has nothing but its shell, and a disk without any files. */
export const startBare = (folder: string, say: (line: string) => void): Promise<PcBed> =>
  startShell(folder, say, {});

async function startShell(
  folder: string,
  say: (line: string) => void,
  files: Readonly<Record<string, string>>,
): Promise<PcBed> {
  const disk = path.join(folder, "disk.img");
  makeFat(disk, files);
  return startPc(folder, say, {
    argv: [
      ...(await efiFirmware(folder)),
      ...[
        "-drive",
        `if=none,id=disk,file=${disk},format=raw`,
        "-device",
        "virtio-blk-pci,drive=disk,bootindex=1",
      ],
    ],
    dictionary: `{% extends 'juno.jinja2' %}
{% set vexpress_supports_uboot = false %}
`,
  });
}
