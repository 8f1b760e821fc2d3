import { mkdirSync, statfsSync } from "node:fs";
import path from "node:path";
import type { DownloadCache } from "./make-room.ts";

const MAX_DEFAULT_BYTES = 4 * 1024 ** 3;

/** Where the cache of a worker is, by its work folder. */
export const cacheFolder = (workDir: string): string => path.join(workDir, "cache");

/**
 * The cache of a worker, made when it isn't there; undefined when it is off. Its limit is the environment's
 * `PUMICE_CACHE_MB`, else `cache_mb` of the worker's settings (megabytes, 0: off), else a tenth of the disk but no more
 * than 4 GiB.
 */
export function downloadCache(
  folder: string,
  settings: Readonly<Record<string, unknown>> = {},
  env: NodeJS.ProcessEnv = process.env,
): DownloadCache | undefined {
  const megabytes = megabytesOf(env["PUMICE_CACHE_MB"]) ?? megabytesOf(settings["cache_mb"]);
  if (megabytes === 0) return undefined;
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    if (megabytes !== undefined) return { folder, limitBytes: megabytes * 1_000_000 };
    const { blocks, bsize } = statfsSync(folder);
    return { folder, limitBytes: Math.min(MAX_DEFAULT_BYTES, (blocks * bsize) / 10) };
  } catch {
    // A folder that can't be made is none: downloads go on without.
    return undefined;
  }
}

/** A number of megabytes; undefined when it is none. */
function megabytesOf(value: unknown): number | undefined {
  const text = String(value ?? "").trim();
  return /^\d{1,9}(\.\d+)?$/.test(text) ? Number(text) : undefined;
}
