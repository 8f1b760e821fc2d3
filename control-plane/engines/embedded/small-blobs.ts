import type { Store } from "./store.ts";

/** Up to this size a blob is a row beside the items: a file of its own costs ten times as much, two waits for the disk among it. */
export const SMALL_BLOB_BYTES = 64 * 1024;

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS blob (key TEXT PRIMARY KEY, bytes BLOB NOT NULL);
`;

/** Blobs that are rows. Keys are good ones. */
export function openSmallBlobs({ database, commit, write }: Store) {
  database.exec(SCHEMA);
  const put = (key: string, bytes: Uint8Array): void =>
    database.run("INSERT OR REPLACE INTO blob VALUES (?, ?)", key, bytes);
  return {
    /** It is on the disk with the next commit, and not without it. */
    put,
    putOnDisk: (key: string, bytes: Uint8Array): Promise<void> => commit(() => put(key, bytes)),
    get(key: string): Uint8Array | undefined {
      const [row] = database.all("SELECT bytes FROM blob WHERE key = ?", key);
      return row?.["bytes"] as Uint8Array | undefined;
    },
    sizeBytes(key: string): number | undefined {
      const [row] = database.all("SELECT length(bytes) AS size FROM blob WHERE key = ?", key);
      return row && Number(row["size"]);
    },
    remove: (key: string): void => write(() => database.run("DELETE FROM blob WHERE key = ?", key)),
    /** `prefix` ends in `/`, behind which `0` is the next letter. */
    removePrefix: (prefix: string): void =>
      write(() =>
        database.run(
          "DELETE FROM blob WHERE key >= ? AND key < ?",
          prefix,
          `${prefix.slice(0, -1)}0`,
        ),
      ),
  };
}
