import { placeholdersSlot } from "../../pipeline/job-slots.ts";
import type { DeployStrategy } from "../../pipeline/strategy.ts";
import { applyOverlayTftp } from "./apply-overlay-tftp.ts";
import { extractModules } from "./modules.ts";
import { deployMethods, downloadSteps, mapping, networkFiles } from "./network-files.ts";
import { extractNfsrootfs } from "./nfsrootfs.ts";
import { lavaOverlay } from "../overlay/overlay-actions.ts";
import { clearNetworkSlots, nfsPlaceholders } from "./tftp-files.ts";

/** A root file system over NFS for a DUT that has its kernel already (DISPATCHER.md 11). */
export const nfsDeploy: DeployStrategy = {
  family: "deploy",
  name: "nfs",
  refuses: (block, job) => {
    if (block.to !== "nfs") return `the deployment is to ${block.to}`;
    const offered = deployMethods(job);
    if (!offered.includes("nfs")) {
      return `the device has no deploy method nfs (it has ${offered.join(", ") || "none"})`;
    }
    if (offered.includes("image"))
      return "the device has deploy method image: NFS is for QEMU then";
    return mapping(block["nfsrootfs"]) ? undefined : "the block has no nfsrootfs";
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
