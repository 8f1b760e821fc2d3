import { mkdir } from "node:fs/promises";
import path from "node:path";
import { efiFirmware, makeGrub, startPc, type PcBed } from "./efi.ts";
import { GRUB_MENU } from "./firmware-menu.ts";

/** A PC whose UEFI firmware starts GRUB from the network. */
export async function start(folder: string, say: (line: string) => void): Promise<PcBed> {
  await mkdir(path.join(folder, "tftp"), { recursive: true });
  await makeGrub(folder, path.join(folder, "tftp/grub.efi"), { "grub.cfg": GRUB_MENU });
  return startPc(folder, say, {
    argv: await efiFirmware(folder),
    bootFile: "grub.efi",
    dictionary: `{% extends 'upsquare.jinja2' %}
{% set efi_grub = true %}
`,
  });
}
