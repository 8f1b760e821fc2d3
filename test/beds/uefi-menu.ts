import { mkdir } from "node:fs/promises";
import path from "node:path";
import { efiFirmware, makeGrub, startPc, type PcBed } from "./efi.ts";
import { BOOT_MANAGER } from "./firmware-menu.ts";

/** A board with UEFI whose boot manager boots from the network, once an entry for that was made in it. */
export async function start(folder: string, say: (line: string) => void): Promise<PcBed> {
  await mkdir(path.join(folder, "tftp"), { recursive: true });
  await makeGrub(folder, path.join(folder, "tftp/menu.efi"), { "grub.cfg": BOOT_MANAGER });
  return startPc(folder, say, {
    argv: await efiFirmware(folder),
    bootFile: "menu.efi",
    dictionary: `{% extends 'mustang-uefi.jinja2' %}
{% set tftp_mac = '52:54:00:12:34:56' %}
`,
  });
}
