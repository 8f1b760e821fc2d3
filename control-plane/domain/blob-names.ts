import { padded } from "./keys.ts";

/** Where blobs are, by name. Those of a job are in a folder of its own. */

const jobBlobs = (id: number): string => `jobs/${id}/`;

export const definitionBlob = (id: number): string => `${jobBlobs(id)}definition.yaml`;
/** The plan of a stock worker's runner, as it tells it at the job's end. */
export const stockPlanBlob = (id: number): string => `${jobBlobs(id)}description.yaml`;
/** The configuration that an attempt of a job has its device with. */
export const deviceBlob = (id: number, attempt: number): string =>
  `${jobBlobs(id)}device-${attempt}.yaml`;
/** Of a member of a multinode group: what was submitted, of all roles. */
export const multinodeBlob = (id: number): string => `${jobBlobs(id)}multinode.yaml`;

/** What of a thousand jobs is filtered by (job-list/job-blocks.ts); each time it is packed under another name. */
export const jobBlockBlob = (first: number, name: string): string =>
  `job-blocks/${padded(first)}-${name}`;

/** Results in short of an attempt that has many. */
export const summaryBlob = (id: number, attempt: number, sha256: string): string =>
  `${jobBlobs(id)}summary-${attempt}-${sha256.slice(0, 16)}.json.gz`;

/** Of a job that was archived, by the day on which it was submitted: `archive/2026/11/22/ID/FILE`. */
export const archiveBlob = (submitTime: string, id: number, file: string): string =>
  `archive/${submitTime.slice(0, 10).replaceAll("-", "/")}/${id}/${file}`;

/** A chunk's place names its content, so that a late upload cannot damage one that was committed. */
export const chunkBlob = (id: number, firstLine: number, sha256: string): string =>
  `${jobBlobs(id)}log/${padded(firstLine)}-${sha256.slice(0, 16)}.jsonl.gz`;

/** `id`: the SHA-256 of the photo. */
export const photoBlob = (hostname: string, id: string): string =>
  `device-photos/${hostname}/${id}`;

/** The place names the content: what is there under it is what was announced. A `+` of a version is no character of keys. */
export const releaseBlob = (version: string, platform: string, sha256: string): string =>
  `releases/${version.replaceAll("+", "=")}/${platform}-${sha256.slice(0, 16)}.gz`;
