import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { makeFat } from "./efi.ts";
import { makePartitionedDisk } from "./partitioned-disk.ts";

/**
 * A disk that a U-Boot on QEMU's virt board finds at its start, with files and a script that it runs (`boot.scr`).
 *
 * @param files by their names on the disk (`virtio 0:1`).
 * @returns QEMU's arguments for it.
 */
export function makeBootDisk(
  folder: string,
  script: string,
  files: Readonly<Record<string, string>> = {},
): string[] {
  const at = (name: string): string => path.join(folder, name);
  writeFileSync(at("boot.txt"), script);
  const argv = ["-A", "arm64", "-T", "script", "-C", "none", "-d", at("boot.txt"), at("boot.scr")];
  execFileSync("mkimage", argv, { stdio: ["ignore", "ignore", "pipe"] });
  makeFat(at("boot.fat"), { ...files, "boot.scr": at("boot.scr") });
  makePartitionedDisk(at("disk"), [at("boot.fat")]);
  return [
    ...["-drive", `if=none,id=disk,format=raw,file=${at("disk")}`],
    ...["-device", "virtio-blk-pci,drive=disk"],
  ];
}
