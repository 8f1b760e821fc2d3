import type { DeployBlock } from "#protocol/job-actions.ts";
import { refusal } from "../../host/device-methods.ts";
import { findMapping } from "../../host/mapping-of.ts";
import type { Action } from "../../pipeline/action.ts";
import { bootKindSlot, placeholdersSlot, tftpFilesSlot } from "../../pipeline/job-slots.ts";
import type { DeployStrategy, StrategyContext } from "../../pipeline/strategy.ts";
import { requireTftp } from "../../services/tftp-folder.ts";
import { applyOverlayTftp } from "./apply-overlay-tftp.ts";
import { extractModules } from "./modules.ts";
import {
  bootMethods,
  downloadSteps,
  networkFile,
  networkFiles,
  type NetworkFile,
} from "./network-files.ts";
import { extractNfsrootfs, parsePersistentNfs } from "./nfsrootfs.ts";
import { lavaOverlay } from "../overlay/overlay-actions.ts";
import { prepareKernel } from "./prepare-kernel.ts";
import { configurePreseed } from "./preseed.ts";
import { offerFiles, openTftp } from "./tftp-files.ts";
import { compressRamdisk, extractOverlayRamdisk } from "./ramdisk.ts";

/** Kernel, ramdisk and their companions, for a bootloader that fetches them by TFTP (DISPATCHER.md 11). */
export const tftpDeploy: DeployStrategy = {
  family: "deploy",
  name: "tftp",
  refuses: (block, job) => {
    const lacks = refusal("deploy", "tftp", block.to, job);
    if (lacks !== undefined) return lacks;
    if (block["nfsrootfs"] && block["persistent_nfs"]) {
      return "the block has nfsrootfs and persistent_nfs: expected one of them";
    }
    return undefined;
  },
  action: (block, context) => {
    const { overlayTests, hasShell } = context;
    const files = [...networkFiles(block, ORDER), ...deviceTreeOverlays(block)];
    const extra = extraFiles(block);
    return {
      name: "tftp-deploy",
      gives: [placeholdersSlot, bootKindSlot, tftpFilesSlot],
      validate: async ({ job }) => requireTftp(job),
      run: (running) => openTftp(running, "tftp-deploy"),
      steps: [
        ...(overlayTests.length > 0 ? [lavaOverlay(context, block)] : []),
        ...downloadSteps([...files, ...extra], context),
        prepareTftpOverlay(block, files, context),
        ...(hasShell ? [{ name: "deploy-device-env" }] : []),
      ],
      runAfter: (running) => offerFiles(running, block, files, extra),
    };
  },
};

/** The order is fixed, whatever the job's. */
const ORDER = ["ramdisk", "kernel", "dtb", "nfsrootfs", "modules", "preseed", "tee"];

const deviceTreeOverlays = (block: DeployBlock): NetworkFile[] =>
  (Array.isArray(block["dtbo"]) ? block["dtbo"] : []).flatMap((source: unknown, n) => {
    const one = findMapping(source);
    return one ? [networkFile(`dtbo${n}`, one)] : [];
  });

const extraFiles = (block: DeployBlock): NetworkFile[] =>
  Object.entries(findMapping(block["extra_files"]) ?? {}).flatMap(([name, source]) => {
    const one = findMapping(source);
    return one ? [networkFile(`extra_files.${name}`, one)] : [];
  });

function prepareTftpOverlay(
  block: DeployBlock,
  files: readonly NetworkFile[],
  { overlayTests, job }: StrategyContext,
): Action {
  const hasKernelType = findMapping(block["kernel"])?.["type"] !== undefined;
  const needsOverlay = overlayTests.length > 0;
  return {
    name: "prepare-tftp-overlay",
    onTimeout: "Infrastructure",
    steps: [
      extractNfsrootfs(block),
      parsePersistentNfs(block),
      extractOverlayRamdisk(block, needsOverlay),
      extractModules(block),
      ...(needsOverlay ? [applyOverlayTftp(block, files)] : []),
      ...(hasKernelType ? [prepareKernel(block, job)] : []),
      configurePreseed(block),
      compressRamdisk,
      ...(bootMethods(job).includes("depthcharge") ? [prepareKernel(block, job)] : []),
    ],
  };
}
