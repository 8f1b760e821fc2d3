import { refusal } from "../../host/device-methods.ts";
import { findMapping } from "../../host/mapping-of.ts";
import { placeholdersSlot } from "../../pipeline/job-slots.ts";
import type { DeployStrategy } from "../../pipeline/strategy.ts";
import { applyOverlayTftp } from "./apply-overlay-tftp.ts";
import { extractModules } from "./modules.ts";
import { deployMethods, downloadSteps, networkFiles } from "./network-files.ts";
import { extractNfsrootfs } from "./nfsrootfs.ts";
import { lavaOverlay } from "../overlay/overlay-actions.ts";
import { clearNetworkSlots, nfsPlaceholders } from "./tftp-files.ts";

/** A root file system over NFS for a DUT that has its kernel already (DISPATCHER.md 11). */
export const nfsDeploy: DeployStrategy = {
  family: "deploy",
  name: "nfs",
  refuses: (block, job) => {
    const lacks = refusal("deploy", "nfs", block.to, job);
    if (lacks !== undefined) return lacks;
    if (deployMethods(job).includes("image"))
      return "the device has deploy method image: NFS is for QEMU then";
    return findMapping(block["nfsrootfs"]) ? undefined : "the block has no nfsrootfs";
  },
  action: (block, context) => {
    const { overlayTests, hasShell } = context;
    const files = networkFiles(block, ["nfsrootfs", "modules"]);
    return {
      name: "nfs-deploy",
      gives: [placeholdersSlot],
      run: async (running) => clearNetworkSlots(running),
      steps: [
        ...downloadSteps(files, context),
        extractNfsrootfs(block),
        lavaOverlay(context, block),
        extractModules(block),
        overlayTests.length > 0 ? applyOverlayTftp(block, files) : { name: "apply-overlay-tftp" },
        ...(hasShell ? [{ name: "deploy-device-env" }] : []),
      ],
      runAfter: async (running) => running.slots.put(placeholdersSlot, nfsPlaceholders(running)),
    };
  },
};
