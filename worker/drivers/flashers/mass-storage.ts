import { rmdir } from "node:fs/promises";
import { hostDevicePath } from "../../host/usb-devices.ts";
import { runCommand } from "../../host/spawn.ts";
import type { RunContext } from "../../pipeline/action.ts";
import { actionFolder } from "./job-files.ts";
import { runTool } from "./run-tool.ts";

export interface MountedDisk {
  readonly folder: string;
  /** Writes everything to it and takes it out; a second time does nothing. @throws JobFailure Infrastructure. */
  unmount(context?: Pick<RunContext, "signal" | "log">): Promise<void>;
}

/**
 * Mounts a board's disk for this job. It is unmounted when the job ends or the enclosing action is tried again,
 * if nobody did before.
 *
 * @throws JobFailure Infrastructure, for example when the worker is not root.
 */
export async function mountMassStorage(
  context: RunContext,
  devicePath: string,
): Promise<MountedDisk> {
  const folder = await actionFolder(context, "mount");
  const failure = { failure: "Infrastructure" } as const;
  // What a board offers is not trusted: nothing on it is a device or a program of this machine.
  const options = "rw,nosuid,nodev,noexec";
  let isMounted = false;
  context.defer(async () => {
    if (isMounted) await runCommand(["umount", folder]);
    await rmdir(folder).catch(() => {});
  });
  try {
    await runTool(context, ["mount", "-o", options, hostDevicePath(devicePath), folder], failure);
    isMounted = true;
  } catch (error) {
    // What is given up may just have been done.
    isMounted = context.signal.aborted;
    throw error;
  }
  return {
    folder,
    unmount: async (other = context) => {
      if (!isMounted) return;
      await runTool(other, ["umount", folder], failure);
      isMounted = false;
    },
  };
}
