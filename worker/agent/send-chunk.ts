import type { FileHandle } from "node:fs/promises";
import type { ControlPlaneCalls, JobAccess } from "./control-plane.ts";
import type { LogChunk } from "./log-chunk.ts";

export interface ChunkRoute {
  readonly controlPlane: ControlPlaneCalls;
  readonly job: JobAccess;
  /** What the chunk was read from: what the control plane has the disk keeps too, as lines are counted from there after a power cut. */
  readonly file: FileHandle;
  readonly signal: AbortSignal;
}

/** Makes a chunk part of the log, in one request: the server takes such small ones. Returns the next line that is expected. */
export async function sendChunk(
  { controlPlane, job, file, signal }: ChunkRoute,
  { commit, body }: LogChunk,
): Promise<number> {
  await file.datasync();
  return controlPlane.logCommit(job, { ...commit, body: body.toString("base64") }, signal);
}

/** Brings a chunk to the storage, to be committed. */
export async function uploadChunk(
  { controlPlane, job, file, signal }: ChunkRoute,
  { commit: { first_line, bytes, sha256 }, body }: LogChunk,
): Promise<void> {
  const place = await controlPlane.logUpload(job, { first_line, bytes, sha256 }, signal);
  await Promise.all([controlPlane.put(place, body, signal), file.datasync()]);
}
