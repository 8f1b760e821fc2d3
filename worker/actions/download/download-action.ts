import { mkdir, rm } from "node:fs/promises";
import path from "node:path";
import { downloadCache } from "../../cache/cache-settings.ts";
import { download, probeDownload, type Download } from "../../host/download.ts";
import { downloadRules } from "../../host/download-rules.ts";
import { remoteTool } from "../../host/download-remote.ts";
import { downloadsFolder } from "../../host/job-folders.ts";
import { unpackTar } from "../../host/tar.ts";
import { requireTool } from "../../host/tool.ts";
import { unpackTool } from "../../host/unpack.ts";
import type { Action, RunContext } from "../../pipeline/action.ts";
import type { Slot } from "../../pipeline/slot.ts";
import { requestFor, type DownloadRequest } from "./download-request.ts";
import { linkDownloaded } from "./pre-downloaded.ts";
import { progressLines } from "./progress-lines.ts";
import { rcloneAccess } from "./rclone-access.ts";

/** Something to download: a url object of the job (JOB.md 5.1) and what it is called there. */
export interface Artifact {
  readonly label: string;
  readonly source: Readonly<Record<string, unknown>>;
  /**
   * Where it goes: `label` a folder of its own; `block` one with all others of its block (`uniquify: false`); `downloads`
   * the folder of `downloads://`. `label` when not said.
   */
  readonly folder?: "label" | "block" | "downloads";
}

/** `download-retry` with its leaf, leaving the file's path (with `archive: tar` the folder's) in a slot. */
export function downloadRetry(
  artifact: Artifact,
  into: Slot<string>,
  more: readonly Action[] = [],
): Action {
  return {
    name: "download-retry",
    retries: true,
    gives: [into],
    steps: [downloadLeaf(artifact, into), ...more],
  };
}

const LEAVES: Readonly<Record<string, string>> = {
  file: "file-download",
  scp: "scp-download",
  rclone: "rclone-download",
  downloads: "pre-downloaded",
};

function downloadLeaf(artifact: Artifact, into: Slot<string>): Action {
  const { source } = artifact;
  const scheme = String(source["url"]).split(":")[0] ?? "";
  return {
    name: LEAVES[scheme] ?? "http-download",
    gives: [into],
    onTimeout: "Infrastructure",
    validate: async ({ job, signal }) => {
      const request = requestFor(artifact, job);
      for (const tool of [unpackTool(request.compression), remoteTool(request.url)]) {
        if (tool !== undefined) requireTool(tool);
      }
      if (source["archive"] === "tar") requireTool("tar");
      // What an earlier action will have downloaded can't be there yet.
      if (request.url.startsWith("downloads://")) return;
      const cache = cacheFor(artifact, job);
      const rules = downloadRules(job.dispatcher);
      await probeDownload({ ...request, ...(await access(request, job)), cache, signal, rules });
    },
    run: (context) => fetchArtifact(context, artifact, into),
  };
}

async function fetchArtifact(
  context: RunContext,
  artifact: Artifact,
  into: Slot<string>,
): Promise<void> {
  const { job, signal, log, slots } = context;
  const { label, source } = artifact;
  const request = requestFor(artifact, job);
  const folder = folderOf(context, artifact);
  const isOwn = (artifact.folder ?? "label") === "label";
  if (isOwn) await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  const target = path.join(folder, request.fileName);
  const isTar = source["archive"] === "tar";
  if (request.url.startsWith("downloads://")) {
    await linkDownloaded(context, request, target);
    return slots.put(into, isTar ? await unpacked(target, context) : target);
  }
  log.info(`downloading ${request.url}`);
  const more = {
    target,
    signal,
    rules: downloadRules(job.dispatcher),
    onProgress: progressLines(log),
    onNote: log.debug,
    cache: cacheFor(artifact, job),
  };
  const done = await download({ ...request, ...(await access(request, job)), ...more });
  log.debug(`${label}: ${done.sizeBytes} bytes, sha256 ${done.sha256}`);
  slots.put(into, isTar ? await unpacked(target, context) : target);
  const checked = Object.entries(request.checksums ?? {}).filter(([, sum]) => sum);
  context.record({
    label,
    size: done.sizeBytes,
    sha256sum: done.sha256,
    ...(checked.length > 0 ? { success: Object.fromEntries(checked) } : {}),
  });
}

/** The worker's cache, unless the job doesn't want it (JOB.md 5.1). */
const cacheFor = (
  { source }: Artifact,
  { cacheFolder, dispatcher }: RunContext["job"],
): Download["cache"] =>
  cacheFolder === undefined || source["use_cache"] === false
    ? undefined
    : downloadCache(cacheFolder, dispatcher);

const access = async (
  { url }: DownloadRequest,
  job: RunContext["job"],
): Promise<Pick<Download, "rclone">> =>
  url.startsWith("rclone://") ? { rclone: await rcloneAccess(job) } : {};

async function unpacked(archive: string, { signal }: RunContext): Promise<string> {
  const folder = `${archive}.d`;
  await unpackTar(archive, folder, { signal });
  await rm(archive);
  return folder;
}

/** Labels are the job's words, and two may differ only in what is replaced: hence the level. */
function folderOf({ job, namespace, level }: RunContext, { label, folder }: Artifact): string {
  if (folder === "downloads") return downloadsFolder(job.scratch, namespace);
  const [top = ""] = level.split(".");
  const block = path.join(job.scratch, `deploy-${top}`);
  if (folder === "block") return path.join(block, "files");
  const name = label
    .replace(/[^\w.+-]/g, "_")
    .replace(/^\.+/, "_")
    .slice(0, 100);
  return path.join(block, `${name}-${level}`);
}
