import type { DeployBlock } from "#protocol/job-actions.ts";
import { folderInRoot } from "../../host/inside-root.ts";
import { runCommand } from "../../host/spawn.ts";
import { requireTool } from "../../host/tool.ts";
import { findMapping } from "../../host/mapping-of.ts";
import type { Action } from "../../pipeline/action.ts";
import { JobFailure } from "../../pipeline/job-failure.ts";
import { nfsFolder, nfsRoot } from "../../services/nfs-root.ts";
import { fileSlot } from "./network-files.ts";
import { nfsRootSlot, persistentNfsSlot } from "./network-slots.ts";

/** `extract-nfsrootfs`: unpacks the root file system into an exported folder. */
export const extractNfsrootfs = (block: DeployBlock): Action => ({
  name: "extract-nfsrootfs",
  onTimeout: "Infrastructure",
  validate: async ({ job }) => {
    if (!findMapping(block["nfsrootfs"])) return;
    requireTool("tar");
    prefixOf(block);
    nfsRoot(job);
  },
  run: async (context) => {
    const { slots, log, signal } = context;
    const archive = slots.find(fileSlot("nfsrootfs"));
    if (archive === undefined) return;
    const top = await nfsFolder(context);
    if (findMapping(block["nfsrootfs"])?.["archive"] === "tar")
      await moveTree(archive, top, signal);
    else await unpackRoot(archive, top, signal);
    const folder = await folderInRoot(top, prefixOf(block));
    slots.put(nfsRootSlot, { folder, server: "", exported: folder });
    log.debug(`the root file system is ${folder}`);
    if (process.getuid?.() !== 0) {
      log.warning("not running as root: all files of the NFS root belong to the worker's user");
    }
  },
});

/** `parse-persistent-nfs`: where a root file system that stays from job to job is. */
export const parsePersistentNfs = (block: DeployBlock): Action => ({
  name: "parse-persistent-nfs",
  validate: async () => {
    if (block["persistent_nfs"] !== undefined) addressOf(block);
  },
  run: async ({ slots }) => {
    if (block["persistent_nfs"] !== undefined) slots.put(persistentNfsSlot, addressOf(block));
  },
});

function addressOf(block: DeployBlock): { server: string; exported: string } {
  const address = String(findMapping(block["persistent_nfs"])?.["address"] ?? "");
  const [, server, exported] = /^(\[[\da-fA-F:]+\]|[\w.][\w.-]*):(\/[^\s,]*)$/.exec(address) ?? [];
  if (server !== undefined && exported !== undefined) return { server, exported };
  const message = `persistent_nfs.address '${address}': expected SERVER:/PATH`;
  throw new JobFailure("Job", message);
}

/** The part of the archive that is the DUT's root. */
function prefixOf(block: DeployBlock): string {
  const prefix = findMapping(block["nfsrootfs"])?.["prefix"];
  if (prefix === undefined || prefix === null) return "";
  const text = String(prefix);
  if (text.endsWith("/") && !text.startsWith("/") && !text.split("/").includes("..")) return text;
  const message = `nfsrootfs.prefix '${text}': expected a relative path that ends with /`;
  throw new JobFailure("Job", message);
}

/**
 * Owners, modes and devices as in the archive where we may; tar itself refuses what leads out of the folder (absolute
 * names, `..`, files behind links of the archive).
 *
 * @throws JobFailure Job when it isn't a tar archive, or broken.
 */
async function unpackRoot(archive: string, folder: string, signal: AbortSignal): Promise<void> {
  const isRoot = process.getuid?.() === 0;
  const { status, output } = await runCommand(
    [
      "tar",
      "--force-local",
      "--file",
      archive,
      "--extract",
      "--directory",
      folder,
      "--warning=no-timestamp",
      ...(isRoot
        ? ["--numeric-owner", "--same-owner", "--preserve-permissions", ...CAPABILITIES]
        : ["--no-same-owner", "--exclude=./dev/*", "--exclude=dev/*"]),
    ],
    { signal },
  );
  if (status === 0) return;
  const last = output.trim().split("\n").slice(-3).join("; ");
  throw new JobFailure("Job", `nfsrootfs can't be unpacked: ${last}`);
}

const CAPABILITIES = ["--xattrs", "--xattrs-include=security.capability"];

async function moveTree(source: string, folder: string, signal: AbortSignal): Promise<void> {
  const argv = ["cp", "--archive", "--no-target-directory", source, folder] as const;
  const { status, output } = await runCommand(argv, { signal });
  if (status !== 0) throw new JobFailure("Infrastructure", `nfsrootfs: ${output.trim()}`);
}
