import { copyFile, link, readdir, realpath, rm, stat } from "node:fs/promises";
import path from "node:path";
import { download } from "../../host/download.ts";
import { downloadsFolder } from "../../host/job-folders.ts";
import type { RunContext } from "../../pipeline/action.ts";
import { JobFailure } from "../../pipeline/job-failure.ts";
import type { DownloadRequest } from "./download-request.ts";

const MAX_LISTED = 50;

/**
 * Brings what `deploy: to: downloads` of this namespace left as NAME (`downloads://NAME`) to `target`: by a hard link,
 * or decompressed and checked when the url object says so.
 *
 * @throws JobFailure Job when there is no such file; the message says which there are.
 */
export async function linkDownloaded(
  { job, namespace, log, signal }: RunContext,
  request: DownloadRequest,
  target: string,
): Promise<void> {
  const folder = downloadsFolder(job.scratch, namespace);
  const name = request.url.slice("downloads://".length).replace(/^\/+/, "");
  const source = await fileIn(folder, name);
  if (source === undefined) {
    const all = await readdir(folder, { recursive: true }).catch(() => []);
    const there =
      all
        .sort((a, b) => (a < b ? -1 : 1))
        .slice(0, MAX_LISTED)
        .join(", ") || "nothing";
    throw new JobFailure("Job", `Resource unavailable: ${name} (available: ${there})`);
  }
  log.debug(`using ${name} of the downloads`);
  const isAsItIs =
    request.compression === undefined && !Object.values(request.checksums ?? {}).some(Boolean);
  if (!isAsItIs) {
    await download({ ...request, url: `file://${source}`, target, signal });
    return;
  }
  await rm(target, { force: true });
  // Another file system, or one without links: a copy will do.
  await link(source, target).catch(() => copyFile(source, target));
}

/** The file of that name, if it is one and lies in the folder: a step in a container may have made links to elsewhere. */
async function fileIn(folder: string, name: string): Promise<string | undefined> {
  try {
    const [root, real] = [await realpath(folder), await realpath(path.join(folder, name))];
    if (!real.startsWith(root + path.sep)) return undefined;
    return (await stat(real)).isFile() ? real : undefined;
  } catch {
    return undefined;
  }
}
