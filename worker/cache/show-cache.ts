import { cachePlaces, listEntries } from "./cache-folder.ts";
import { contents } from "./make-room.ts";
import { isLocked } from "./key-lock.ts";

/** The cache for people, the last used first, a line each and one for the whole; or an object a line. */
export function describeCache(
  folder: string,
  limitBytes: number | undefined,
  asJson: boolean,
): string {
  const places = cachePlaces(folder);
  const all = listEntries(places).reverse();
  if (asJson) {
    const lines = all.map(({ entry: { sums, sizeBytes, shown }, lastUsedMs }) =>
      JSON.stringify({
        url: shown,
        size: sizeBytes,
        sha256: sums.sha256,
        last_used: new Date(lastUsedMs).toISOString(),
      }),
    );
    return lines.map((line) => `${line}\n`).join("");
  }
  const lines = all.map(({ entry: { sums, sizeBytes, shown }, lastUsedMs }) => {
    const used = new Date(lastUsedMs).toISOString().replace("T", " ").slice(0, 19);
    return `${used}  ${megabytes(sizeBytes).padStart(9)}  ${sums.sha256.slice(0, 12)}  ${shown}\n`;
  });
  const limit =
    limitBytes === undefined
      ? "off: PUMICE_CACHE_MB or cache_mb is 0"
      : `of ${megabytes(limitBytes)}`;
  return `${lines.join("")}${folder}: ${all.length} files, ${megabytes(contents(places).usedBytes)} ${limit}\n`;
}

/** Removes everything but the downloads that are under way: how many entries and parts, and their bytes. */
export function cleanCache(folder: string): { removed: number; bytes: number } {
  const places = cachePlaces(folder);
  let removed = 0;
  let bytes = 0;
  for (const item of contents(places).items) {
    if (item.isPart && isLocked(places.locks, item.key)) continue;
    bytes += item.remove();
    removed++;
  }
  return { removed, bytes };
}

const megabytes = (bytes: number): string => `${(bytes / 1_000_000).toFixed(1)} MB`;
