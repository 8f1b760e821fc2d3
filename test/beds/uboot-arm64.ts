import { startUboot, type UbootBed } from "./uboot.ts";

/** A 64-bit board with U-Boot: `booti`. */
export const start = (folder: string, say: (line: string) => void): Promise<UbootBed> =>
  startUboot(folder, say, "arm64");
