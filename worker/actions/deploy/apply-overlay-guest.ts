import { randomUUID } from "node:crypto";
import { open } from "node:fs/promises";
import path from "node:path";
import { ownCopy } from "../../host/own-copy.ts";
import { appendCpio } from "../../overlay/cpio.ts";
import { cpioFolders, isInitramfs } from "../../overlay/cpio-folders.ts";
import { makeExt2 } from "../../overlay/ext2.ts";
import type { Action, JobContext, RunContext } from "../../pipeline/action.ts";
import {
  guestDriveSlot,
  imagesSlot,
  overlaySlot,
  type DeployedImage,
} from "../../pipeline/job-slots.ts";

/**
 * Brings the overlay to a QEMU guest: appended to the initramfs when that is all the guest has, else as
 * a small ext2 drive, which the guest mounts before its tests (DISPATCHER.md 11.2).
 */
export const applyOverlayGuest = (alreadyIn: string | undefined): Action => ({
  name: "apply-overlay-guest",
  onTimeout: "Infrastructure",
  needs: [overlaySlot, imagesSlot],
  gives: [guestDriveSlot],
  run: async (context) => {
    const { slots, log } = context;
    slots.clear(guestDriveSlot);
    if (alreadyIn !== undefined) {
      log.debug(`the overlay is in image ${alreadyIn} already`);
      return;
    }
    const initramfs = await onlyInitramfs(slots.take(imagesSlot));
    if (initramfs) await appendToInitramfs(context, initramfs);
    else await makeDrive(context);
  },
});

/** The image that is the whole of the guest's file system, if there is one. */
async function onlyInitramfs(
  images: ReadonlyMap<string, DeployedImage>,
): Promise<DeployedImage | undefined> {
  const all = [...images.values()];
  if (all.some(({ imageArg = "" }) => HAS_DRIVE.test(imageArg))) return undefined;
  const found = all.filter(({ imageArg = "" }) => /(^|\s)--?initrd\s/.test(imageArg));
  const [initramfs] = found;
  if (!initramfs || found.length > 1 || !(await isInitramfs(initramfs.path))) return undefined;
  return initramfs;
}
const HAS_DRIVE = /(^|\s)--?(drive|hd[a-d]|cdrom|blockdev|sd|mtdblock|pflash|virtfs|fsdev)\s/;

async function appendToInitramfs(context: RunContext, image: DeployedImage): Promise<void> {
  const { slots, log } = context;
  const { sourceDir, lavaDir } = slots.take(overlaySlot);
  // Only folders on the way to it can be there already: most often there are none.
  const isDeep = lavaDir.lastIndexOf("/") > 0;
  const exists = isDeep ? await cpioFolders(image.path) : undefined;
  await ownCopy(image.path);
  const file = await open(image.path, "r+");
  try {
    await appendCpio(file, sourceDir, lavaDir.slice(1), exists);
  } finally {
    await file.close();
  }
  log.info(`The overlay is appended to ${image.label}, at ${lavaDir}`);
  context.record({ label: image.label, method: "cpio" });
}

async function makeDrive(context: RunContext): Promise<void> {
  const { slots, job, level, signal, log } = context;
  const { sourceDir, lavaDir } = slots.take(overlaySlot);
  const guest = guestParameters(job);
  const uuid = randomUUID();
  const drive = path.join(job.scratch, `lava-guest-${level}.ext2`);
  await makeExt2(drive, sourceDir, { uuid, sizeMb: guest.sizeMb, signal });
  slots.put(guestDriveSlot, {
    path: drive,
    format: "raw",
    uuid,
    interface: guest.interface,
    driveId: guest.driveId,
    mountCommands: mountCommands(uuid, lavaDir),
  });
  log.info(`The overlay is on a drive of ${guest.sizeMb} MB, to be mounted at ${lavaDir}`);
  context.record({ label: "lava-guest", method: "ext2", uuid });
}

/** By UUID where udev made the link or the system can find it; else each drive is looked into, unchanged. */
function mountCommands(uuid: string, lavaDir: string): string[] {
  const marker = `${lavaDir}/bin/lava-test-runner`;
  const byUuid = `$(findfs UUID=${uuid} 2>/dev/null || echo /dev/disk/by-uuid/${uuid})`;
  const search =
    `for d in /dev/[vshx]*d[a-z]; do mount -o ro $d ${lavaDir} 2>/dev/null || continue; ` +
    `[ -e ${marker} ] && mount -o remount,rw ${lavaDir} && break; umount ${lavaDir}; done`;
  return [
    `mkdir -p ${lavaDir}`,
    `mount -t ext2 ${byUuid} ${lavaDir} 2>/dev/null || ${search}`,
    `ls -la ${marker}`,
  ];
}

/** `guest` of the device's deploy method; the interface by architecture as LAVA's filter has it (DEVICE.md 4). */
function guestParameters({ device, definition }: JobContext): {
  sizeMb: number;
  interface: string;
  driveId: string;
} {
  const method = device.actions.deploy.methods?.["image"] as
    | { parameters?: { guest?: Record<string, unknown> } }
    | null
    | undefined;
  const guest = method?.parameters?.guest ?? {};
  const arch = String(definition.context?.["arch"] ?? "");
  const fallback = ["amd64", "x86_64", "i386"].includes(arch) ? "ide" : "virtio";
  const word = (value: unknown, otherwise: string): string =>
    typeof value === "string" && /^[\w-]+$/.test(value) ? value : otherwise;
  const size = Number(guest["size"]);
  return {
    sizeMb: Number.isInteger(size) && size > 0 ? size : 512,
    interface: word(guest["interface"], fallback),
    driveId: word(guest["driveid"], "lavatest"),
  };
}
