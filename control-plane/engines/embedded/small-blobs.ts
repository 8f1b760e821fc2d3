import type { Store } from "./store.ts";

const SMALL_BYTES = 64 * 1024;

/**
 * Whether a blob is a row beside the items: a file of its own costs ten times as much, two waits for the disk among it. Only those of
 * jobs: archived ones are files for people.
 */
export const isRow = (key: string, sizeBytes: number): boolean =>
  sizeBytes <= SMALL_BYTES && key.startsWith("jobs/");

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS blob (key TEXT PRIMARY KEY, bytes BLOB NOT NULL);
`;

/** Blobs that are rows. Keys are good ones. */
export function openSmallBlobs(store: Store) {
  const { database } = store;
  database.exec(SCHEMA);
  const insert = (key: string, bytes: Uint8Array): void =>
    database.run("INSERT OR REPLACE INTO blob VALUES (?, ?)", key, bytes);
  const unwritten = new Map<string, Uint8Array>();
  return {
    /** It is on the disk with the next commit, and not without it. */
    put(key: string, bytes: Uint8Array): void {
      unwritten.set(key, bytes);
      const written = () => void unwritten.delete(key);
      store.later(`blob ${key}`, () => insert(key, bytes), written);
    },
    putOnDisk: (key: string, bytes: Uint8Array): Promise<void> =>
      store.commit(() => insert(key, bytes)),
    get(key: string): Uint8Array | undefined {
      const bytes = unwritten.get(key);
      if (bytes) return bytes;
      const [row] = database.all("SELECT bytes FROM blob WHERE key = ?", key);
      return row?.["bytes"] as Uint8Array | undefined;
    },
    sizeBytes(key: string): number | undefined {
      const bytes = unwritten.get(key);
      if (bytes) return bytes.length;
      const [row] = database.all("SELECT length(bytes) AS size FROM blob WHERE key = ?", key);
      return row && Number(row["size"]);
    },
    remove: (key: string): void =>
      store.write(() => database.run("DELETE FROM blob WHERE key = ?", key)),
    /** `prefix` ends in `/`, behind which `0` is the next letter. */
    removePrefix: (prefix: string): void =>
      store.write(() =>
        database.run(
          "DELETE FROM blob WHERE key >= ? AND key < ?",
          prefix,
          `${prefix.slice(0, -1)}0`,
        ),
      ),
  };
}
