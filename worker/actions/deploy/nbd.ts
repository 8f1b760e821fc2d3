import { refusal } from "../../host/device-methods.ts";
import { findMapping } from "../../host/mapping-of.ts";
import { bootKindSlot, placeholdersSlot, tftpFilesSlot } from "../../pipeline/job-slots.ts";
import type { DeployStrategy } from "../../pipeline/strategy.ts";
import { requireTftp } from "../../services/tftp-folder.ts";
import { downloadSteps, networkFiles } from "./network-files.ts";
import { lavaOverlay } from "../overlay/overlay-actions.ts";
import { prepareKernel } from "./prepare-kernel.ts";
import { offerFiles, openTftp } from "./tftp-files.ts";
import { nbdServerSlot, xnbdServerDeploy } from "./xnbd-server-deploy.ts";

/** Kernel and initrd by TFTP, the root file system as a network block device (DISPATCHER.md 11). */
export const nbdDeploy: DeployStrategy = {
  family: "deploy",
  name: "nbd",
  refuses: (block, job) => {
    const lacks = refusal("deploy", "nbd", block.to, job);
    if (lacks !== undefined) return lacks;
    const missing = ["kernel", "nbdroot", "initrd"].find((key) => !findMapping(block[key]));
    if (missing) return `the block has no ${missing}`;
    const unfit = ["nfsrootfs", "ramdisk"].find((key) => block[key] !== undefined);
    return unfit ? `${unfit} is not for nbd` : undefined;
  },
  action: (block, context) => {
    const { job } = context;
    const files = networkFiles(block, ["initrd", "kernel", "dtb", "nbdroot"]);
    const hasKernelType = findMapping(block["kernel"])?.["type"] !== undefined;
    return {
      name: "nbd-deploy",
      gives: [placeholdersSlot, bootKindSlot, tftpFilesSlot],
      validate: async (checked) => requireTftp(checked.job),
      run: (running) => openTftp(running, "nbd-deploy"),
      steps: [
        ...downloadSteps(files, context),
        lavaOverlay(context, block),
        ...(hasKernelType ? [prepareKernel(block, job)] : []),
        xnbdServerDeploy,
      ],
      runAfter: async (running) => {
        await offerFiles(running, block, files);
        const { slots } = running;
        const { address, port } = slots.take(nbdServerSlot);
        slots.put(placeholdersSlot, {
          ...slots.take(placeholdersSlot),
          NBDSERVERIP: address,
          NBDSERVERPORT: String(port),
        });
      },
    };
  },
};
