import { refusal } from "../../host/device-methods.ts";
import path from "node:path";
import { unpackTar } from "../../host/tar.ts";
import { requireTool } from "../../host/tool.ts";
import type { Action } from "../../pipeline/action.ts";
import { JobFailure } from "../../pipeline/job-failure.ts";
import { slot, type Slot } from "../../pipeline/slot.ts";
import type { DeployStrategy } from "../../pipeline/strategy.ts";
import { downloadRetry } from "../download/download-action.ts";
import { lavaOverlay } from "../overlay/overlay-actions.ts";

/** In the order in which they are fetched (DISPATCHER.md 11). */
const FILES = ["firmware", "kernel", "dtb", "rootfs", "modules"];

/** Nothing but the overlay for a system that runs already; boot `ssh` brings it there (DISPATCHER.md 11). */
export const sshDeploy: DeployStrategy = {
  family: "deploy",
  name: "ssh",
  refuses: (block, job) => refusal("deploy", "ssh", block.to, job),
  action: (block, context) => {
    const files = new Map(
      FILES.flatMap((label) => {
        const source = block[label] as Record<string, unknown> | null | undefined;
        return source ? [[label, { source, file: slot<string>(`ssh ${label}`) }] as const] : [];
      }),
    );
    const rootfs = files.get("rootfs")?.file;
    const modules = files.get("modules")?.file;
    return {
      name: "scp-overlay",
      steps: [
        lavaOverlay(context, block),
        ...[...files].map(([label, { source, file }]) => downloadRetry({ label, source }, file)),
        {
          name: "prepare-scp-overlay",
          steps: [extractRootfs(rootfs), extractModules(modules, rootfs)],
        },
        // Its values travel in the overlay and in boot's export-device-env.
        { name: "deploy-device-env" },
      ],
    };
  },
};

/** Folder of the job into which a root file system is unpacked. */
const rootfsFolderSlot = slot<string>("ssh rootfs folder");

const extractRootfs = (rootfs: Slot<string> | undefined): Action => ({
  name: "extract-rootfs",
  onTimeout: "Infrastructure",
  ...(rootfs ? { needs: [rootfs], gives: [rootfsFolderSlot] } : {}),
  validate: async () => {
    if (rootfs) requireTool("tar");
  },
  run: async ({ job, slots, level, signal, log }) => {
    if (!rootfs) return;
    const folder = path.join(job.scratch, `rootfs-${level}`);
    await unpackTar(slots.take(rootfs), folder, { signal });
    log.debug(`the root file system is in ${folder}`);
    slots.put(rootfsFolderSlot, folder);
  },
});

const extractModules = (
  modules: Slot<string> | undefined,
  rootfs: Slot<string> | undefined,
): Action => ({
  name: "extract-modules",
  onTimeout: "Infrastructure",
  ...(modules ? { needs: [modules] } : {}),
  validate: async () => {
    if (!modules || rootfs) return;
    throw new JobFailure("Job", "modules: there is no rootfs to unpack them into");
  },
  run: async ({ slots, signal }) => {
    if (!modules) return;
    await unpackTar(slots.take(modules), slots.take(rootfsFolderSlot), { signal });
  },
});
