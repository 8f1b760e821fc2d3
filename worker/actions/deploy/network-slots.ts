import { slot } from "../../pipeline/slot.ts";

/** The DUT's root file system as files of this worker. */
export interface NfsRoot {
  /** Stands for `/` of the DUT. */
  readonly folder: string;
  /** What the DUT mounts. */
  readonly server: string;
  readonly exported: string;
}
export const nfsRootSlot = slot<NfsRoot>("nfs-root");

/** A root file system that a server keeps from job to job (`persistent_nfs`). */
export interface PersistentNfs {
  readonly server: string;
  readonly exported: string;
}
export const persistentNfsSlot = slot<PersistentNfs>("persistent-nfs");

/** A ramdisk that is being made ready, in the file that the DUT will get. */
export interface Ramdisk {
  readonly path: string;
  /** Where its content begins: behind the room for a header. */
  readonly start: number;
}
export const ramdiskSlot = slot<Ramdisk>("ramdisk");

/** The kernel as the DUT gets it, when it isn't as it was downloaded. */
export const kernelSlot = slot<string>("prepared-kernel");

/** Unpacked kernel modules: a folder that stands for `/`. */
export const modulesSlot = slot<string>("modules");

/** Name of the preseed file in the ramdisk. */
export const preseedLocalSlot = slot<string>("preseed-local");

/** A FIT image for depthcharge, and whether the ramdisk is in it. */
export const fitSlot = slot<{ readonly path: string; readonly hasRamdisk: boolean }>("fit-image");
