import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from "node:fs";
import path from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import * as v from "valibot";
import { BACKUP_FORMAT, blobKeySchema, sha256Schema } from "#protocol/backup.ts";
import { UsageError } from "../command.ts";

/*
 * A backup as a folder (docs/backup.md):
 *
 * backup.json            what is in it; `complete` is written last
 * items-00001.jsonl.gz   items of the table, one a line
 * blobs-00001.jsonl.gz   the files that belong to them: key, size, SHA-256; or why one is missing
 * blobs/KEY              those files
 */

const MAX_FILE_BYTES = 512 * 1024 * 1024;
const whole = v.pipe(v.number(), v.integer(), v.minValue(0));

const fileSchema = v.object({
  name: v.pipe(v.string(), v.regex(/^(items|blobs)-\d{5,8}\.jsonl\.gz$/)),
  lines: whole,
  bytes: whole,
  sha256: sha256Schema,
});
const manifestSchema = v.object({
  format: v.literal(BACKUP_FORMAT),
  /** 16 hex digits; a restore that was cut knows its backup by them. */
  id: v.pipe(v.string(), v.regex(/^[0-9a-f]{16}$/)),
  /** Version of Pumice, engine and address of the lab. */
  pumice: v.string(),
  engine: v.string(),
  from: v.string(),
  /** By the lab's clock; what ended before is complete. */
  begun: v.string(),
  ended: v.optional(v.string()),
  /** Whether the lab took nothing new meanwhile. */
  closed: v.boolean(),
  files: v.array(fileSchema),
  counts: v.object({ items: whole, blobs: whole, blob_bytes: whole, missing_blobs: whole }),
  /** Where to go on; gone when it is complete. */
  next: v.optional(
    v.object({
      /** Whether all pages have been read, and only the jobs of `again` are left. */
      scanned: v.boolean(),
      cursor: v.optional(v.string()),
      again: v.array(whole),
    }),
  ),
  complete: v.boolean(),
});
export type Manifest = v.InferOutput<typeof manifestSchema>;

/** A line of `blobs-*.jsonl.gz`. */
export const blobLineSchema = v.union([
  v.object({ key: blobKeySchema, bytes: whole, sha256: sha256Schema }),
  v.object({ key: blobKeySchema, missing: v.string() }),
]);
export type BlobLine = v.InferOutput<typeof blobLineSchema>;

const manifestFile = (dir: string): string => path.join(dir, "backup.json");
export const blobFile = (dir: string, key: string): string => path.join(dir, "blobs", key);
export const sha256Of = (bytes: Uint8Array): string =>
  createHash("sha256").update(bytes).digest("hex");

/** What a folder has; undefined when there is no backup. Throws a UsageError for one that this program can't read. */
export function findManifest(dir: string): Manifest | undefined {
  const file = manifestFile(dir);
  if (!existsSync(file)) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(file, "utf8"));
  } catch (error) {
    throw new UsageError(`${file}: ${(error as Error).message}`);
  }
  const { format } = (value ?? {}) as { format?: unknown };
  if (typeof format === "number" && format > BACKUP_FORMAT) {
    throw new UsageError(`${file}: format ${format} is that of a newer Pumice; use that one`);
  }
  const read = v.safeParse(manifestSchema, value);
  if (read.success) return read.output;
  const [issue] = read.issues;
  throw new UsageError(`${file}: ${v.getDotPath(issue) ?? "it"}: ${issue.message}`);
}

export function writeManifest(dir: string, manifest: Manifest): void {
  writeWhole(manifestFile(dir), Buffer.from(`${JSON.stringify(manifest, undefined, 1)}\n`));
}

/** A file is there whole or not at all. Only its owner may read it: logs and jobs may have secrets in them. */
export function writeWhole(file: string, bytes: Uint8Array): void {
  mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 });
  const draft = `${file}.new`;
  writeFileSync(draft, bytes, { mode: 0o600 });
  renameSync(draft, file);
}

/** Writes lines of JSON and gives what the manifest says of the file. */
export function writeLines(
  dir: string,
  name: string,
  lines: readonly string[],
): Manifest["files"][number] {
  const bytes = gzipSync(lines.map((line) => `${line}\n`).join(""));
  writeWhole(path.join(dir, name), bytes);
  return { name, lines: lines.length, bytes: bytes.length, sha256: sha256Of(bytes) };
}

/** The lines of a file, each of this shape. Throws when it is not what the manifest says. */
export function readLines<S extends v.GenericSchema>(
  dir: string,
  { name, bytes, sha256, lines: count }: Manifest["files"][number],
  schema: S,
): v.InferOutput<S>[] {
  const file = path.join(dir, name);
  const packed = readExact(file, bytes, sha256);
  const text = gunzipSync(packed, { maxOutputLength: MAX_FILE_BYTES }).toString("utf8");
  const lines = text.split("\n").slice(0, -1);
  if (lines.length !== count) throw new Error(`${file} has ${lines.length} lines, not ${count}`);
  return lines.map((line, index) => {
    const read = v.safeParse(schema, parsed(line));
    if (read.success) return read.output;
    const [issue] = read.issues;
    throw new Error(`${file}:${index + 1}: ${v.getDotPath(issue) ?? "it"}: ${issue.message}`);
  });
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    // No item and no blob: said by whoever wanted one.
    return undefined;
  }
}

/** The bytes of a file that must be these. Throws with what to do. */
export function readExact(file: string, bytes: number, sha256: string): Uint8Array {
  if (!existsSync(file)) throw new Error(`${file} is missing: this backup is not whole`);
  const { size } = statSync(file);
  const content = size === bytes ? readFileSync(file) : undefined;
  if (content && sha256Of(content) === sha256) return content;
  throw new Error(`${file} is damaged: it is not what was written there; use another backup`);
}
