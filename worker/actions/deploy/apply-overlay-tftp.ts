import { mkdir, open, readdir, rmdir } from "node:fs/promises";
import path from "node:path";
import type { DeployBlock } from "#protocol/job-actions.ts";
import { copyIntoRoot } from "../../host/inside-root.ts";
import { downloadRules, requireReachable } from "../../host/download-rules.ts";
import { runCommand } from "../../host/spawn.ts";
import { requireTool } from "../../host/tool.ts";
import { findMapping } from "../../host/mapping-of.ts";
import { appendCpio } from "../../overlay/cpio.ts";
import { cpioFolders } from "../../overlay/cpio-folders.ts";
import type { Action, RunContext } from "../../pipeline/action.ts";
import { JobFailure } from "../../pipeline/job-failure.ts";
import { overlaySlot } from "../../pipeline/job-slots.ts";
import { hasLavaOverlay } from "./append-overlays.ts";
import { type NetworkFile } from "./network-files.ts";
import { nfsRootSlot, persistentNfsSlot, ramdiskSlot } from "./network-slots.ts";

/**
 * `apply-overlay-tftp`: the overlay into what the DUT will have as its root, the first of these that there is: the NFS
 * root file system, the persistent one, the ramdisk (DISPATCHER.md 11.2). With none of them it stays on the worker, for
 * `transfer_overlay`.
 */
export const applyOverlayTftp = (block: DeployBlock, files: readonly NetworkFile[]): Action => ({
  name: "apply-overlay-tftp",
  onTimeout: "Infrastructure",
  needs: [overlaySlot],
  validate: async () => {
    if (wants(block, "persistent_nfs")) requireTool("mount.nfs");
  },
  run: async (context) => {
    const { slots, log } = context;
    const { root, lavaDir } = slots.take(overlaySlot);
    const already = files.find(({ source }) => hasLavaOverlay(source));
    if (already) return log.debug(`the overlay is in ${already.key} already`);
    const nfsRoot = slots.find(nfsRootSlot);
    const persistent = slots.find(persistentNfsSlot);
    if (nfsRoot) {
      if (!wants(block, "nfsrootfs")) return log.debug(notWanted("nfsrootfs"));
      await copyIntoRoot(root, nfsRoot.folder);
      return log.info(`The overlay is in the NFS root file system, at ${lavaDir}`);
    }
    if (persistent) {
      if (!wants(block, "persistent_nfs")) return log.debug(notWanted("persistent_nfs"));
      await mounted(context, `${persistent.server}:${persistent.exported}`, (folder) =>
        copyIntoRoot(root, folder),
      );
      return log.info(`The overlay is in the persistent NFS root, at ${lavaDir}`);
    }
    const ramdisk = slots.find(ramdiskSlot);
    if (!ramdisk || !wants(block, "ramdisk")) return log.debug(notWanted("ramdisk"));
    await appendOverlay(ramdisk, root, lavaDir);
    log.info(`The overlay is appended to the ramdisk, at ${lavaDir}`);
  },
});

const wants = (block: DeployBlock, key: string): boolean => {
  const item = findMapping(block[key]);
  return item !== undefined && item["install_overlay"] !== false;
};

const notWanted = (key: string): string =>
  `the overlay goes into no file system: there is no ${key}, or its install_overlay is false`;

/** Only for folders that could be there already the archive has to be read: most often none is. */
async function appendOverlay(
  { path: file, start }: { readonly path: string; readonly start: number },
  root: string,
  lavaDir: string,
): Promise<void> {
  const top = await readdir(root);
  const isPlain = top.length === 1 && lavaDir === `/${top[0]}`;
  const exists = isPlain ? undefined : await cpioFolders(file, start);
  const handle = await open(file, "r+");
  try {
    await appendCpio(handle, root, "", exists);
  } finally {
    await handle.close();
  }
}

/** Mounts an NFS export on the worker for as long as `use` takes. */
async function mounted(
  { job, signal }: RunContext,
  address: string,
  use: (folder: string) => Promise<void>,
): Promise<void> {
  const [host = ""] = address.split(/:(?=\/)/);
  await requireReachable(downloadRules(job.dispatcher), { url: address, host });
  const folder = path.join(job.scratch, "persistent-nfs");
  await mkdir(folder, { recursive: true });
  try {
    const argv = ["mount", "-t", "nfs", address, folder] as const;
    const { status, output } = await runCommand(argv, { signal });
    if (status !== 0) {
      const said = output.trim().split("\n").at(-1) ?? "";
      throw new JobFailure("Job", `persistent_nfs ${address} can't be mounted here: ${said}`);
    }
    await use(folder);
  } finally {
    // Also when it was given up: by then it may be mounted.
    await runCommand(["umount", "--lazy", folder]);
    // Never more than the empty folder: what it may still show is not ours.
    await rmdir(folder).catch(() => {});
  }
}
