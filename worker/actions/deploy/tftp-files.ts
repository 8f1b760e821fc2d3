import { chmod, mkdtemp } from "node:fs/promises";
import path from "node:path";
import type { DeployBlock } from "#protocol/job-actions.ts";
import { dispatcherIp } from "../../host/dispatcher-ip.ts";
import { findMapping } from "../../host/mapping-of.ts";
import type { RunContext } from "../../pipeline/action.ts";
import { bootKindSlot, placeholdersSlot, tftpFilesSlot } from "../../pipeline/job-slots.ts";
import { publish, tftpFolder } from "../../services/tftp-folder.ts";
import { bootKindFor } from "../bootloader/boot-kind.ts";
import { clearFiles, type NetworkFile } from "./network-files.ts";
import {
  fitSlot,
  kernelSlot,
  modulesSlot,
  nfsRootSlot,
  persistentNfsSlot,
  preseedLocalSlot,
  ramdiskSlot,
} from "./network-slots.ts";

/** Begins a deployment: nothing is left of an earlier one, and there is a folder that the DUT can fetch from. */
export async function openTftp(context: RunContext, name: string): Promise<void> {
  const { slots } = context;
  clearNetworkSlots(context);
  const job = await tftpFolder(context);
  // A name of its own for each deployment: a bootloader must not get a file of an earlier one.
  const folder = await mkdtemp(path.join(job.folder, `${name}-`));
  await chmod(folder, 0o755);
  slots.put(tftpFilesSlot, { folder, tftpPath: `${job.tftpPath}/${path.basename(folder)}` });
}

export function clearNetworkSlots({ slots }: Pick<RunContext, "slots">): void {
  clearFiles(slots);
  for (const left of [
    placeholdersSlot,
    bootKindSlot,
    tftpFilesSlot,
    nfsRootSlot,
    persistentNfsSlot,
    ramdiskSlot,
    kernelSlot,
    modulesSlot,
    preseedLocalSlot,
    fitSlot,
  ]) {
    slots.clear(left);
  }
}

/** Ends a deployment: its files are where the DUT fetches them, and their names in the table for the bootloader. */
export async function offerFiles(
  context: RunContext,
  block: DeployBlock,
  files: readonly NetworkFile[],
  extra: readonly NetworkFile[] = [],
): Promise<void> {
  const { job, slots, log } = context;
  const offered = slots.take(tftpFilesSlot);
  const offer = (file: string, folder: string): Promise<string> =>
    publish(job, offered, file, `${folder}/${path.basename(file)}`);
  const made: Readonly<Record<string, string | undefined>> = {
    kernel: slots.find(kernelSlot),
    ramdisk: slots.find(ramdiskSlot)?.path,
  };
  const known: Record<string, string> = Object.fromEntries(
    ["KERNEL", "RAMDISK", "INITRD", "DTB", "TEE", "PRESEED_CONFIG"].map((name) => [name, ""]),
  );
  for (const { key, file } of files) {
    const placeholder =
      PLACEHOLDERS[key] ?? (/^dtbo\d+$/.test(key) ? key.toUpperCase() : undefined);
    if (placeholder === undefined) continue;
    known[placeholder] = await offer(made[key] ?? slots.take(file), key);
  }
  if (known["INITRD"] === "") known["INITRD"] = known["RAMDISK"] ?? "";
  if (known["RAMDISK"] === "") known["RAMDISK"] = known["INITRD"] ?? "";
  for (const { file } of extra) await offer(slots.take(file), "extra_files");
  if (extra.length > 0) known["EXTRA_FILES_DIR"] = `${offered.tftpPath}/extra_files`;
  const fit = slots.find(fitSlot);
  known["DEPTHCHARGE_KERNEL"] = fit ? await offer(fit.path, "kernel") : (known["KERNEL"] ?? "");
  known["DEPTHCHARGE_RAMDISK"] = fit?.hasRamdisk ? "" : (known["RAMDISK"] ?? "");
  known["PRESEED_LOCAL"] = slots.find(preseedLocalSlot) ?? "";
  Object.assign(known, nfsPlaceholders(context));
  slots.put(placeholdersSlot, known);
  slots.put(bootKindSlot, bootKindFor(findMapping(block["kernel"])?.["type"], job));
  log.debug(`for the bootloader: ${JSON.stringify(known)}`);
}

const PLACEHOLDERS: Readonly<Record<string, string>> = {
  kernel: "KERNEL",
  ramdisk: "RAMDISK",
  initrd: "INITRD",
  dtb: "DTB",
  tee: "TEE",
  preseed: "PRESEED_CONFIG",
};

/** What the kernel mounts as its root; nothing when the deployment has none. */
export function nfsPlaceholders({
  slots,
  job,
}: Pick<RunContext, "slots" | "job">): Record<string, string> {
  const root = slots.find(nfsRootSlot) ?? slots.find(persistentNfsSlot);
  if (!root) return {};
  const server = root.server === "" ? dispatcherIp(job.dispatcher) : root.server;
  return { NFSROOTFS: root.exported, NFS_SERVER_IP: server };
}
