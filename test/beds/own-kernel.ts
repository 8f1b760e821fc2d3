import { mkdirSync } from "node:fs";
import path from "node:path";
import { makeBootDisk } from "./boot-disk.ts";
import { makeNetworkRoot } from "./network-root.ts";
import { startUboot, type UbootBed } from "./uboot.ts";

/**
 * A U-Boot board with a kernel of its own: `boot` starts what is on its disk, with the arguments that are set by then. Its
 * root file system is one on the network.
 */
export async function start(folder: string, say: (line: string) => void): Promise<UbootBed> {
  const guest = await makeNetworkRoot(say, "arm64");
  mkdirSync(folder, { recursive: true });
  const disk = makeBootDisk(folder, SCRIPT, {
    Image: path.join(guest, "vmlinuz"),
    "initrd.img": path.join(guest, "initramfs.cpio.gz"),
  });
  return startUboot(folder, say, "arm64", disk);
}

/** The device tree is the one that the machine has at its start. */
const SCRIPT = `load virtio 0:1 \${kernel_addr_r} Image
load virtio 0:1 \${ramdisk_addr_r} initrd.img
booti \${kernel_addr_r} \${ramdisk_addr_r}:\${filesize} \${fdt_addr}
`;
