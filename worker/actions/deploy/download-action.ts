import { mkdir, rm } from "node:fs/promises";
import path from "node:path";
import { download, probeDownload, type Download } from "../../host/download.ts";
import { unpackTar } from "../../host/tar.ts";
import { requireTool } from "../../host/tool.ts";
import { unpackTool } from "../../host/unpack.ts";
import type { Action, JobContext, RunContext } from "../../pipeline/action.ts";
import { JobFailure } from "../../pipeline/job-failure.ts";
import type { Slot } from "../../pipeline/slot.ts";
import { progressLines } from "./progress-lines.ts";

/** Something to download: a url object of the job (JOB.md 5.1) and what it is called there. */
export interface Artifact {
  readonly label: string;
  readonly source: Readonly<Record<string, unknown>>;
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

function downloadLeaf(artifact: Artifact, into: Slot<string>): Action {
  const { label, source } = artifact;
  return {
    name: String(source["url"]).startsWith("file:") ? "file-download" : "http-download",
    gives: [into],
    onTimeout: "Infrastructure",
    validate: async ({ job, signal }) => {
      const request = requestFor(artifact, job);
      const tool = unpackTool(request.compression);
      if (tool !== undefined) requireTool(tool);
      if (source["archive"] === "tar") requireTool("tar");
      await probeDownload({ ...request, signal });
    },
    run: async (context) => {
      const { job, signal, log, slots, level } = context;
      const request = requestFor(artifact, job);
      const [top = ""] = level.split(".");
      const folder = path.join(job.scratch, `deploy-${top}`, folderName(label, level));
      await rm(folder, { recursive: true, force: true });
      await mkdir(folder, { recursive: true });
      const target = path.join(folder, fileName(request.url, label, source["compression"]));
      log.info(`downloading ${request.url}`);
      const done = await download({ ...request, target, signal, onProgress: progressLines(log) });
      log.debug(`${label}: ${done.sizeBytes} bytes, sha256 ${done.sha256}`);
      slots.put(into, source["archive"] === "tar" ? await unpacked(target, context) : target);
      const checked = Object.entries(request.checksums ?? {}).filter(([, sum]) => sum);
      context.record({
        label,
        size: done.sizeBytes,
        sha256sum: done.sha256,
        ...(checked.length > 0 ? { success: Object.fromEntries(checked) } : {}),
      });
    },
  };
}

async function unpacked(archive: string, { signal }: RunContext): Promise<string> {
  const folder = `${archive}.d`;
  await unpackTar(archive, folder, { signal });
  await rm(archive);
  return folder;
}

/** @throws JobFailure Job when the url object asks for something that isn't there. */
function requestFor({ label, source }: Artifact, job: JobContext): Omit<Download, "target"> {
  const fail = (key: string, expected: string): never => {
    throw new JobFailure("Job", `${label}: ${key} '${String(source[key])}': expected ${expected}`);
  };
  const text = (key: string): string | undefined => {
    const value = source[key];
    if (value === undefined || value === null) return undefined;
    return typeof value === "string" ? value : String(value);
  };
  const compression = text("compression");
  if (!isCompression(compression)) return fail("compression", "gz, bz2, xz, zstd or zip");
  if (!["tar", undefined].includes(text("archive"))) return fail("archive", "tar");
  const headers = (source["headers"] ?? {}) as Record<string, unknown>;
  const url = withStaticInfo(text("url") ?? "", job);
  if (!/^(https?|file):\/\//.test(url) || !URL.canParse(url)) {
    return fail("url", "an address that begins with http://, https:// or file://");
  }
  return {
    url: throughCache(url, source, job),
    headers: Object.fromEntries(Object.entries(headers).map(([k, value]) => [k, String(value)])),
    compression,
    checksums: {
      md5: text("md5sum"),
      sha256: text("sha256sum"),
      sha512: text("sha512sum"),
    },
  };
}

const COMPRESSIONS = new Set(["gz", "bz2", "xz", "zstd", "zip"]);
const isCompression = (word: string | undefined): word is Download["compression"] & string =>
  word === undefined || COMPRESSIONS.has(word);

/** `{NAME}` in a URL is of the device's `static_info`. */
function withStaticInfo(url: string, { device }: JobContext): string {
  const known: Record<string, unknown> = Object.assign({}, ...(device.static_info ?? []));
  return url.replace(/\{(\w+)\}/g, (whole, name: string) =>
    Object.hasOwn(known, name) ? String(known[name]) : whole,
  );
}

function throughCache(url: string, source: Artifact["source"], { dispatcher }: JobContext): string {
  const format = dispatcher["http_url_format_string"];
  if (typeof format !== "string" || !format.includes("%s")) return url;
  if (source["use_cache"] === false || !url.startsWith("http")) return url;
  return format.replace("%s", () => encodeURIComponent(url));
}

/** The URL's last part without what a path or a QEMU option would take for something else. */
function fileName(url: string, label: string, compression: unknown): string {
  const last =
    url
      .replace(/^\w+:\/\//, "")
      .replace(/[?#].*$/, "")
      .split("/")
      .at(-1) ?? "";
  const name =
    last
      .replace(/[^\w.+@-]/g, "_")
      .replace(/^\.+/, "")
      .slice(-200) || "file";
  const whole = name === "file" ? label.replace(/[^\w.+-]/g, "_") || name : name;
  if (compression === undefined || compression === null) return whole;
  return whole.replace(/(.)\.[^.]*$/, "$1");
}

/** One folder a download: labels are the job's words, and two may differ only in what is replaced. */
function folderName(label: string, level: string): string {
  const name = label
    .replace(/[^\w.+-]/g, "_")
    .replace(/^\.+/, "_")
    .slice(0, 100);
  return `${name}-${level}`;
}
