import { readFileSync, realpathSync } from "node:fs";
import { chmod, mkdir, mkdtemp, rm, rmdir } from "node:fs/promises";
import path from "node:path";
import type { JobContext, RunContext } from "../pipeline/action.ts";
import { JobFailure } from "../pipeline/job-failure.ts";
import { folderName } from "./tftp-folder.ts";

/** One folder that the kernel's NFS server exports. */
export interface NfsExport {
  readonly folder: string;
  readonly options: readonly string[];
}

/** What the kernel's NFS server exports; undefined when there is none on this machine. */
export function kernelExports(table = "/var/lib/nfs/etab"): NfsExport[] | undefined {
  let text: string;
  try {
    text = readFileSync(table, "utf8");
  } catch {
    return undefined;
  }
  return text.split("\n").flatMap((line) => {
    const [, folder, options = ""] = /^(\S+)\s+\S*\(([^)]*)\)/.exec(line) ?? [];
    if (folder === undefined) return [];
    // Spaces and the like are written as \040.
    const name = folder.replace(/\\(\d{3})/g, (_, octal: string) =>
      String.fromCharCode(Number.parseInt(octal, 8)),
    );
    return [{ folder: name, options: options.split(",") }];
  });
}

/**
 * The exported folder in which root file systems for DUTs are made: setting `nfs_root`, else the job's own folder when
 * it is in an export.
 *
 * @throws JobFailure Configuration when there is neither.
 */
export function nfsRoot({
  dispatcher,
  scratch,
}: Pick<JobContext, "dispatcher" | "scratch">): string {
  const configured = dispatcher["nfs_root"];
  if (typeof configured === "string" && path.isAbsolute(configured)) return configured;
  const isExported = (kernelExports() ?? []).some(({ folder }) => isWithin(scratch, folder));
  if (isExported) return scratch;
  const message =
    "no folder for NFS roots is known: set nfs_root to a folder that the NFS server exports (rw, no_root_squash); pumice-worker doctor checks it";
  throw new JobFailure("Configuration", message);
}

/**
 * An empty folder below `nfs_root`, removed when the job ends.
 *
 * @throws JobFailure Infrastructure when it can't be made.
 */
export async function nfsFolder({
  job,
  defer,
}: Pick<RunContext, "job" | "defer">): Promise<string> {
  const root = nfsRoot(job);
  // In a job's own folder that nobody may list: what is in there may run as root.
  const own = path.join(root, folderName(job));
  try {
    await mkdir(own, { recursive: true });
    await chmod(own, 0o711);
    const folder = await mkdtemp(path.join(own, "extract-nfsrootfs-"));
    await chmod(folder, 0o755);
    defer(async () => {
      await rm(folder, { recursive: true, force: true });
      // Another deployment of the job may still have its own in there.
      await rmdir(own).catch(() => {});
    });
    return folder;
  } catch (cause) {
    const message = `nfs_root ${root} can't be written to: ${(cause as Error).message}`;
    throw new JobFailure("Infrastructure", message, { cause });
  }
}

export function isWithin(file: string, folder: string): boolean {
  const relative = path.relative(realOf(folder), realOf(file));
  return relative !== ".." && !relative.startsWith(`..${path.sep}`) && !path.isAbsolute(relative);
}

/** Of a path whose end may not be there yet. */
function realOf(file: string): string {
  try {
    return realpathSync(file);
  } catch {
    const parent = path.dirname(file);
    return parent === file ? file : path.join(realOf(parent), path.basename(file));
  }
}
