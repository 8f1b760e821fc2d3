import { startUboot, type UbootBed } from "./uboot.ts";

/** A 32-bit board with U-Boot: `bootz` and `bootm`. */
export const start = (folder: string, say: (line: string) => void): Promise<UbootBed> =>
  startUboot(folder, say, "armhf");
