import { startPc, type PcBed } from "./efi.ts";

/** A PC with a BIOS on its serial port, whose network card boots by iPXE. */
export const start = (folder: string, say: (line: string) => void): Promise<PcBed> =>
  startPc(folder, say, {
    argv: ["-M", "q35,graphics=off"],
    hasBootRom: true,
    // A name that is not there: without one iPXE would not stop at its own prompt.
    bootFile: "none",
    dictionary: `{% extends 'x86.jinja2' %}
{% set boot_character_delay = 10 %}
`,
  });
