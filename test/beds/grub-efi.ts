import { mkdir } from "node:fs/promises";
import path from "node:path";
import { efiFirmware, makeGrub, startPc, type PcBed } from "./efi.ts";
import { GRUB_MENU, SHORT_MENU } from "./firmware-menu.ts";

/** A board with UEFI whose menu has GRUB, from the network, as one of its numbered items. */
export async function start(folder: string, say: (line: string) => void): Promise<PcBed> {
  await mkdir(path.join(folder, "tftp"), { recursive: true });
  await makeGrub(folder, path.join(folder, "tftp/grub.efi"), {
    "grub.cfg": SHORT_MENU,
    "loader.cfg": GRUB_MENU,
  });
  return startPc(folder, say, {
    argv: await efiFirmware(folder),
    bootFile: "grub.efi",
    dictionary: "{% extends 'mustang-grub-efi.jinja2' %}\n",
  });
}
