import { existsSync } from "node:fs";
import path from "node:path";
import { cacheFolder, downloadCache } from "../cache/cache-settings.ts";
import { cleanCache, describeCache } from "../cache/show-cache.ts";
import { exportSettings, readWorkerSettings } from "../host/settings-file.ts";
import { parse, print, UsageError } from "./command-line.ts";
import { defaultWorkDir } from "./default-work-dir.ts";

/** `pumice-worker cache`: what downloads are kept, or none any more. */
export async function cache(args: string[]): Promise<number> {
  const { values, positionals } = parse(args, {
    "work-dir": { type: "string" },
    json: { type: "boolean" },
  });
  const [action = "list", ...more] = positionals;
  if (!["list", "clean"].includes(action) || more.length > 0) {
    throw new UsageError(`cache ${positionals.join(" ")}: expected list or clean`);
  }
  exportSettings(readWorkerSettings());
  const folder = cacheFolder(path.resolve(values["work-dir"] ?? defaultWorkDir()));
  // Not made here: it would be the user's who asks, root mostly, and of no use to the worker.
  if (!existsSync(folder)) return print(values.json ? "" : `${folder}: nothing is cached yet\n`);
  if (action === "clean") {
    const { removed, bytes } = cleanCache(folder);
    return print(`${removed} removed, ${Math.round(bytes / 1_000_000)} MB\n`);
  }
  return print(describeCache(folder, downloadCache(folder)?.limitBytes, values.json === true));
}
