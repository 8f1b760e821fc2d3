import type { Download } from "../../host/download.ts";
import { isRemote, placeOf } from "../../host/download-remote.ts";
import type { JobContext } from "../../pipeline/action.ts";
import { JobFailure } from "../../pipeline/job-failure.ts";

type Source = Readonly<Record<string, unknown>>;

export interface DownloadRequest extends Omit<Download, "target"> {
  /** What the file is called, by the job's own address, whatever a cache makes of it. */
  readonly fileName: string;
}

/**
 * A url object of the job (JOB.md 5.1) as a request, its address filled in from `static_info` and led through the
 * worker's cache.
 *
 * @throws JobFailure Job when it asks for something that isn't there.
 */
export function requestFor(
  { label, source }: { label: string; source: Source },
  job: JobContext,
): DownloadRequest {
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
  if (!SCHEMES.test(url) || (url.startsWith("http") && !URL.canParse(url))) {
    return fail(
      "url",
      "an address that begins with http://, https://, file://, scp://, rclone:// or downloads://",
    );
  }
  if (isRemote(url)) placeOf(url);
  return {
    url: throughCache(url, source, job),
    fileName: fileName(url, label, source["compression"]),
    headers: Object.fromEntries(Object.entries(headers).map(([k, value]) => [k, String(value)])),
    compression,
    checksums: {
      md5: text("md5sum"),
      sha256: text("sha256sum"),
      sha512: text("sha512sum"),
    },
  };
}

const SCHEMES = /^(https?|file|scp|rclone|downloads):\/\//;
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

function throughCache(url: string, source: Source, { dispatcher }: JobContext): string {
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
