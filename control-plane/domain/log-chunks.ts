import * as v from "valibot";
import { resultMessageSchema } from "#protocol/log-record.ts";
import { TEST_RESULTS } from "#protocol/states.ts";
import {
  MAX_CHUNK_RESULT_BYTES,
  type LogCommitRequest,
  type LogCommitResponse,
  type LogUploadRequest,
  type LogUploadResponse,
} from "#protocol/worker-api.ts";
import type { Operation } from "../ports/table.ts";
import { AppError } from "./app-error.ts";
import { dutEvent } from "./changes.ts";
import type { Deps } from "./deps.ts";
import { attemptOf, jobItem, withNotes, type JobRecord } from "./job-record.ts";
import { getReportedItem } from "./job-token.ts";
import { chunkKey, resultsKey } from "./keys.ts";
import { chunkBlob } from "./blob-names.ts";
import type { Principal } from "./principal.ts";
import { countsAfter } from "./results/count-results.ts";
import { retrying } from "./retrying.ts";
import { without } from "./without.ts";

const UPLOAD_SECONDS = 15 * 60;
/** As infra/template.yaml has it for the blobs. */
const LONGEST_JOB_DAYS = 8;

/** A committed piece of a job's log: `count` records from `first_line` on, as gzipped JSON lines in a blob. */
export interface ChunkRecord {
  first_line: number;
  count: number;
  bytes: number;
  sha256: string;
}

/** The result records of one chunk, those that could be read. */
export interface ResultsRecord {
  results: LogCommitRequest["results"];
}

/** Where to PUT a chunk before it is committed. Throws `gone` when the job has ended. */
export async function requestUpload(
  deps: Deps,
  principal: Principal,
  id: number,
  { first_line, bytes, sha256 }: LogUploadRequest,
): Promise<LogUploadResponse> {
  requireOpenLog((await getReportedItem(deps, principal, id)).data);
  const { url, headers } = await deps.blobs.signPut({
    key: chunkBlob(id, first_line, sha256),
    sizeBytes: bytes,
    sha256,
    expiresInSeconds: UPLOAD_SECONDS,
  });
  return { url, method: "PUT", headers };
}

/** The next line that is expected of a job's log. */
export async function logTail(
  deps: Deps,
  principal: Principal,
  id: number,
): Promise<LogCommitResponse> {
  return { next_line: (await getReportedItem(deps, principal, id)).data.log_lines };
}

/**
 * Makes a chunk part of the log that was uploaded or comes with it: chunk, results and the log's end move in one transaction, so every
 * record arrives once and in order. The same chunk again is answered as before. Throws `conflict` with the next
 * line when the chunk starts elsewhere, `invalid` when it is not what it says, `gone` when the job has ended.
 */
export async function commitChunk(
  deps: Deps,
  principal: Principal,
  id: number,
  request: LogCommitRequest,
): Promise<LogCommitResponse> {
  const chunk: ChunkRecord = without(request, "results", "events", "body");
  const next_line = await retrying(async () => {
    const item = await getReportedItem(deps, principal, id);
    const { data: job } = item;
    const attempt = attemptOf(job);
    if (await isCommitted(deps, job, chunk)) return job.log_lines;
    requireOpenLog(job);
    if (chunk.first_line !== job.log_lines) {
      throw new AppError(
        "conflict",
        `line ${job.log_lines} is the next of the log, not ${chunk.first_line}`,
        { nextLine: job.log_lines },
      );
    }
    if (request.body === undefined) await requireUploaded(deps, id, chunk);
    else await storeBody(deps, id, chunk, request.body);
    const { good, notes } = sortResults(request);
    const lines = chunk.first_line + chunk.count;
    const counts = good.length === 0 ? {} : await countsAfter(deps, job, good);
    const operations: Operation[] = [
      {
        put: jobItem(withNotes({ ...job, log_lines: lines, ...counts }, notes)),
        when: { version: item.version },
      },
      {
        put: { key: chunkKey(id, chunk.first_line, attempt), data: chunk, ...expiryOfParts(deps) },
        when: "absent",
      },
    ];
    if (good.length > 0) {
      const data = { results: good } satisfies ResultsRecord;
      operations.push({
        put: { key: resultsKey(id, chunk.first_line, attempt), data, ...expiryOfParts(deps) },
        when: "absent",
      });
    }
    for (const message of request.events ?? []) operations.push(dutEvent(deps, job, message));
    await deps.table.transact(operations);
    return lines;
  });
  await deps.signals.ring(`job/${id}`);
  return { next_line };
}

/** Parts are written before their job's end, so they are kept for the longest job more; so is the blob of a chunk. */
export function expiryOfParts({ system, settings }: Deps): { expires?: number } {
  if (settings.retentionDays === 0) return {};
  return { expires: system.now() + (settings.retentionDays + LONGEST_JOB_DAYS) * 24 * 3600 * 1000 };
}

async function isCommitted(deps: Deps, job: JobRecord, chunk: ChunkRecord): Promise<boolean> {
  if (chunk.first_line >= job.log_lines) return false;
  const key = chunkKey(job.id, chunk.first_line, attemptOf(job));
  const found = await deps.table.get<ChunkRecord>(key);
  return found?.data.sha256 === chunk.sha256 && found.data.count === chunk.count;
}

async function requireUploaded(deps: Deps, id: number, chunk: ChunkRecord): Promise<void> {
  const size = await deps.blobs.sizeBytes(chunkBlob(id, chunk.first_line, chunk.sha256));
  if (size === chunk.bytes) return;
  const found = size === undefined ? "it has not been uploaded" : `${size} bytes were uploaded`;
  throw new AppError("invalid", `chunk of ${chunk.bytes} bytes: ${found}`);
}

async function storeBody(deps: Deps, id: number, chunk: ChunkRecord, body: string): Promise<void> {
  const bytes = Buffer.from(body, "base64");
  const sha256 = deps.system.hash(bytes);
  if (bytes.length !== chunk.bytes || sha256 !== chunk.sha256) {
    const found = `\`body\` is of ${bytes.length} with SHA-256 ${sha256}`;
    throw new AppError("invalid", `chunk of ${chunk.bytes} bytes, ${chunk.sha256}: ${found}`);
  }
  await deps.blobs.put(chunkBlob(id, chunk.first_line, sha256), bytes);
}

function requireOpenLog(job: JobRecord): void {
  if (job.state === "Finished" && !job.taken_back) {
    throw new AppError("gone", `job ${job.id} is Finished, its log is closed`);
  }
}

/**
 * Drops the records that cannot be results, with a note for each kind: a test can print what it likes and its
 * job goes on (SCHEDULER.md 8).
 */
function sortResults({ first_line, count, results }: LogCommitRequest) {
  const size = new TextEncoder().encode(JSON.stringify(results)).length;
  if (size > MAX_CHUNK_RESULT_BYTES) {
    throw new AppError(
      "invalid",
      `results: at most ${MAX_CHUNK_RESULT_BYTES} bytes in one chunk, not ${size}`,
    );
  }
  const notes: string[] = [];
  const good = results.filter(({ line, msg }) => {
    const problem = resultProblem(msg);
    if (problem) notes.push(`result on line ${line} was dropped: ${problem}`);
    const inside = line >= first_line && line < first_line + count;
    if (!inside) notes.push(`result on line ${line} was dropped: it is outside of its chunk`);
    return inside && !problem;
  });
  return { good, notes };
}

function resultProblem(message: Record<string, unknown>): string | undefined {
  const parsed = v.safeParse(resultMessageSchema, message);
  if (!parsed.success) {
    const [issue] = parsed.issues;
    return `${v.getDotPath(issue) ?? "record"}: ${issue.message}`.slice(0, 200);
  }
  const { result } = parsed.output;
  if ((TEST_RESULTS as readonly string[]).includes(result)) return undefined;
  return `result is ${JSON.stringify(result.slice(0, 50))}, not one of ${TEST_RESULTS.join(", ")}`;
}
