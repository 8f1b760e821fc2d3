import { open } from "node:fs/promises";
import path from "node:path";
import type { DeployBlock } from "#protocol/job-actions.ts";
import { copyIntoRoot } from "../../host/inside-root.ts";
import { unpackTar } from "../../host/tar.ts";
import { requireTool } from "../../host/tool.ts";
import { findMapping } from "../../host/mapping-of.ts";
import { appendCpio } from "../../overlay/cpio.ts";
import { cpioFolders } from "../../overlay/cpio-folders.ts";
import type { Action } from "../../pipeline/action.ts";
import { JobFailure } from "../../pipeline/job-failure.ts";
import { fileSlot } from "./network-files.ts";
import { modulesSlot, nfsRootSlot, ramdiskSlot } from "./network-slots.ts";

/**
 * `extract-modules`: the kernel's modules into the NFS root file system and the ramdisk, both when there are both
 * (DISPATCHER.md 11.2).
 */
export const extractModules = (block: DeployBlock): Action => ({
  name: "extract-modules",
  onTimeout: "Infrastructure",
  validate: async () => {
    if (!findMapping(block["modules"])) return;
    requireTool("tar");
    if (findMapping(block["ramdisk"]) || findMapping(block["nfsrootfs"])) return;
    const message = "modules: there is no ramdisk and no nfsrootfs that they could be put into";
    throw new JobFailure("Job", message);
  },
  run: async ({ slots, job, level, signal, log }) => {
    const archive = slots.find(fileSlot("modules"));
    if (archive === undefined) return;
    // A folder when the job says `archive: tar` of it.
    let folder = archive;
    if (findMapping(block["modules"])?.["archive"] !== "tar") {
      folder = path.join(job.scratch, `modules-${level}`);
      await unpackTar(archive, folder, { signal });
    }
    slots.put(modulesSlot, folder);
    const nfsRoot = slots.find(nfsRootSlot);
    if (nfsRoot && findMapping(block["nfsrootfs"])?.["install_modules"] !== false) {
      await copyIntoRoot(folder, nfsRoot.folder);
      log.debug("the modules are in the NFS root file system");
    }
    const ramdisk = slots.find(ramdiskSlot);
    if (ramdisk && findMapping(block["ramdisk"])?.["install_modules"] !== false) {
      const exists = await cpioFolders(ramdisk.path, ramdisk.start);
      const file = await open(ramdisk.path, "r+");
      try {
        await appendCpio(file, folder, "", exists);
      } finally {
        await file.close();
      }
      log.debug("the modules are appended to the ramdisk");
    }
  },
});
