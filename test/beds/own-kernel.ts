import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { makeFat } from "./efi.ts";
import { makeNetworkRoot } from "./network-root.ts";
import { makePartitionedDisk } from "./partitioned-disk.ts";
import { startUboot, type UbootBed } from "./uboot.ts";

/**
 * A U-Boot board with a kernel of its own: `boot` starts what is on its disk, with the arguments that are set by then. Its
 * root file system is one on the network.
 */
export async function start(folder: string, say: (line: string) => void): Promise<UbootBed> {
  const guest = await makeNetworkRoot(say, "arm64");
  const at = (name: string): string => path.join(folder, name);
  mkdirSync(folder, { recursive: true });
  writeFileSync(at("boot.txt"), SCRIPT);
  const script = ["-A", "arm64", "-T", "script", "-C", "none", "-d", at("boot.txt")];
  execFileSync("mkimage", [...script, at("boot.scr")], { stdio: ["ignore", "ignore", "pipe"] });
  makeFat(at("boot.fat"), {
    Image: path.join(guest, "vmlinuz"),
    "initrd.img": path.join(guest, "initramfs.cpio.gz"),
    "boot.scr": at("boot.scr"),
  });
  makePartitionedDisk(at("disk"), [at("boot.fat")]);
  return startUboot(folder, say, "arm64", [
    ...["-drive", `if=none,id=disk,format=raw,file=${at("disk")}`],
    ...["-device", "virtio-blk-pci,drive=disk"],
  ]);
}

/** The device tree is the one that the machine has at its start. */
const SCRIPT = `load virtio 0:1 \${kernel_addr_r} Image
load virtio 0:1 \${ramdisk_addr_r} initrd.img
booti \${kernel_addr_r} \${ramdisk_addr_r}:\${filesize} \${fdt_addr}
`;
