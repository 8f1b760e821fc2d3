import { MAX_CHUNK_TEXT_BYTES } from "#protocol/log-chunk.ts";
import type { Deps } from "../deps.ts";
import { attemptOf, jobView, type JobRecord } from "../job-record.ts";
import { chunkKey } from "../keys.ts";
import { archiveBlob, chunkBlob, definitionBlob } from "../blob-names.ts";
import type { ChunkRecord } from "../log-chunks.ts";
import { queryAll } from "../query-all.ts";
import { readResults } from "../results/read-results.ts";

/** A file of the log has about so much; a longer log has several, which put one after the other are one again. */
const MAX_FILE_BYTES = 32 * 1024 * 1024;
const encoder = new TextEncoder();

/**
 * Writes a finished job to the blobs so that plain tools can read it: `archive/YYYY/MM/DD/ID/` with job.json, definition.yaml,
 * results.json and output.yaml.gz, which is LAVA's log, a record in a line (API.md, files). Again does no harm; a log that was
 * removed before stays as it was archived.
 */
export async function archiveJob(deps: Deps, job: JobRecord): Promise<void> {
  const place = (file: string) => archiveBlob(job.submit_time, job.id, file);
  const definition = await deps.blobs.get(definitionBlob(job.id));
  if (definition) await deps.blobs.put(place("definition.yaml"), definition);
  if (!job.log_removed) await archiveLog(deps, job, place);
  const results: string[] = [];
  for await (const view of readResults(deps, job)) results.push(JSON.stringify(view));
  const text = `{"results":[\n${results.join(",\n")}\n]}\n`;
  await deps.blobs.put(place("results.json"), encoder.encode(text));
  // Last: where it is, all of it is.
  const record = `${JSON.stringify(jobView(job), undefined, 2)}\n`;
  await deps.blobs.put(place("job.json"), encoder.encode(record));
}

async function archiveLog(
  deps: Deps,
  job: JobRecord,
  place: (file: string) => string,
): Promise<void> {
  let pieces: Uint8Array[] = [];
  let bytes = 0;
  let file = 0;
  const write = async () => {
    file += 1;
    await deps.blobs.put(
      place(file === 1 ? "output.yaml.gz" : `output.${file}.yaml.gz`),
      joined(pieces),
    );
    pieces = [];
    bytes = 0;
  };
  const keyOf = (line: number) => chunkKey(job.id, line, attemptOf(job));
  const { partition, sort: from } = keyOf(0);
  const range = { from, to: keyOf(10 ** 12 - 1).sort, limit: 50 };
  for await (const { data } of queryAll<ChunkRecord>(deps, "main", partition, range)) {
    const packed = await deps.blobs.get(chunkBlob(job.id, data.first_line, data.sha256));
    if (!packed) continue;
    const text = new TextDecoder().decode(await deps.system.gunzip(packed, MAX_CHUNK_TEXT_BYTES));
    // Each line of JSON is one of YAML, too; as items of a list all of them are one document.
    const items = text.replace(/^(?=.)/gm, "- ");
    // One after the other, gzip files are a gzip file.
    const piece = await deps.system.gzip(encoder.encode(items));
    pieces.push(piece);
    bytes += piece.length;
    if (bytes >= MAX_FILE_BYTES) await write();
  }
  if (pieces.length > 0) await write();
}

function joined(pieces: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}
