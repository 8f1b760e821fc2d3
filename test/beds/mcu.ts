import { execFileSync } from "node:child_process";
import path from "node:path";
import type { Bed } from "./bed.ts";
import { startVirtualBoard } from "./virtual-board.ts";

const sources = path.join(import.meta.dirname, "mcu");

/** Boards of QEMU that differ in their UART. */
export const MCU_BOARDS = {
  lm3s6965evb: ["-DPL011", "-DUART=0x4000c000"],
  "mps2-an385": ["-DUART=0x40004000"],
} as const;

export interface McuBed extends Bed {
  /** The firmware with its symbols. */
  readonly elf: string;
}

/** A board with a Cortex-M3, its firmware built here by Debian's gcc-arm-none-eabi and already flashed. */
export const start = (folder: string): Promise<McuBed> => startMcu(folder, "lm3s6965evb");

/** @param more further arguments for QEMU. */
export async function startMcu(
  folder: string,
  board: keyof typeof MCU_BOARDS,
  more: readonly string[] = [],
): Promise<McuBed> {
  const elf = path.join(folder, `${board}.elf`);
  execFileSync("arm-none-eabi-gcc", [
    ...["-mcpu=cortex-m3", "-mthumb", "-g", "-O1", "-ffreestanding", "-nostdlib"],
    ...["-Wall", "-Werror", `-DBOARD="${board}"`, ...MCU_BOARDS[board]],
    ...["-T", path.join(sources, "firmware.ld"), path.join(sources, "firmware.c"), "-o", elf],
  ]);
  const qemu = ["qemu-system-arm", "-accel", "tcg", "-M", board, "-nodefaults"] as const;
  const rig = await startVirtualBoard(folder, [...qemu, "-kernel", elf, ...more]);
  return {
    elf,
    dictionary: `{% extends 'base.jinja2' %}
{% set connection_command = 'tcp://127.0.0.1:${rig.consolePort}' %}
{% set hard_reset_command = '${rig.hardReset}' %}
{% set power_on_command = '${rig.powerOn}' %}
{% set power_off_command = '${rig.powerOff}' %}
`,
    hints: [
      `Its console: nc 127.0.0.1 ${rig.consolePort}`,
      `Press its reset button: ${rig.hardReset}`,
    ],
    close: () => rig.close(),
  };
}
