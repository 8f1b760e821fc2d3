import { copyFile, lstat, mkdir, open, readdir } from "node:fs/promises";
import path from "node:path";
import { mountMassStorage, type MountedDisk } from "../../drivers/flashers/mass-storage.ts";
import { runTool } from "../../drivers/flashers/run-tool.ts";
import { unpackTar } from "../../host/tar.ts";
import { requireTool } from "../../host/tool.ts";
import type { Action, JobContext, RunContext } from "../../pipeline/action.ts";
import { JobFailure } from "../../pipeline/job-failure.ts";
import { slot, type Slot } from "../../pipeline/slot.ts";

/** The board's disk, mounted. */
export const diskSlot = slot<MountedDisk>("board's disk");

/** What was in the recovery image. */
const recoverySlot = slot<string>("recovery folder");

export const mountDisk = (name: string, devicePath: (job: JobContext) => string): Action => ({
  name,
  gives: [diskSlot],
  onTimeout: "Infrastructure",
  validate: async ({ job }) => {
    devicePath(job);
    requireTool("mount");
    requireTool("umount");
  },
  run: async (context) => {
    context.slots.put(diskSlot, await mountMassStorage(context, devicePath(context.job)));
  },
});

/** Everything is on the board when this ends. */
export const unmountDisk = (name: string): Action => ({
  name,
  needs: [diskSlot],
  onTimeout: "Infrastructure",
  run: async (context) => context.slots.take(diskSlot).unmount(context),
});

/** Unpacks a downloaded recovery image, a zip or a tar archive. */
export const extractRecoveryImage = (archive: Slot<string>): Action => ({
  name: "extract-vexpress-recovery-image",
  needs: [archive],
  gives: [recoverySlot],
  onTimeout: "Infrastructure",
  validate: async () => {
    requireTool("unzip");
    requireTool("tar");
  },
  run: async (context) => {
    const file = context.slots.take(archive);
    const folder = `${file}.d`;
    await mkdir(folder, { recursive: true });
    if (await isZip(file)) await runTool(context, ["unzip", "-q", "-o", file, "-d", folder]);
    else await unpackTar(file, folder, { signal: context.signal });
    context.slots.put(recoverySlot, folder);
  },
});

async function isZip(file: string): Promise<boolean> {
  const handle = await open(file);
  try {
    const { buffer } = await handle.read(Buffer.alloc(4), 0, 4, 0);
    return buffer.toString("latin1").startsWith("PK\u0003\u0004");
  } finally {
    await handle.close();
  }
}

/** Copies what was unpacked to the board's disk, over what is there. */
export const deployRecoveryImage: Action = {
  name: "deploy-vexpress-recovery-image",
  needs: [diskSlot, recoverySlot],
  onTimeout: "Infrastructure",
  run: async (context) => {
    const { slots, log, signal } = context;
    const source = slots.take(recoverySlot);
    const files = await copyTree(source, slots.take(diskSlot).folder, signal);
    if (files === 0) throw new JobFailure("Job", "the recovery image has no files");
    log.info(`${files} files of the recovery image are on the board's disk`);
  },
};

/** Copies one file to the board's disk. */
export async function copyToDisk(
  { slots, log }: Pick<RunContext, "slots" | "log">,
  file: string,
  name: string,
): Promise<void> {
  const target = path.join(slots.take(diskSlot).folder, name);
  log.info(`copying ${path.basename(file)} to ${name} of the board's disk`);
  await mkdir(path.dirname(target), { recursive: true });
  await written(name, () => copyFile(file, target));
}

/** @throws JobFailure Infrastructure: the disk is full, or gone. */
export async function written(name: string, write: () => Promise<void>): Promise<void> {
  await write().catch((cause: Error) => {
    const message = `${name} can't be written to the board's disk: ${cause.message}`;
    throw new JobFailure("Infrastructure", message, { cause });
  });
}

/** Files and folders only: a link of the archive could lead to a file of this machine. */
async function copyTree(from: string, to: string, signal: AbortSignal): Promise<number> {
  let files = 0;
  for (const name of await readdir(from)) {
    signal.throwIfAborted();
    const source = path.join(from, name);
    const target = path.join(to, name);
    const stat = await lstat(source);
    if (stat.isDirectory()) {
      await written(name, async () => void (await mkdir(target, { recursive: true })));
      files += await copyTree(source, target, signal);
    } else if (stat.isFile()) {
      await written(name, () => copyFile(source, target));
      files += 1;
    } else {
      throw new JobFailure("Job", `${name} of the recovery image is neither a file nor a folder`);
    }
  }
  return files;
}
