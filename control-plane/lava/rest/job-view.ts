import { readYaml } from "#protocol/read-yaml.ts";
import { attemptOf, type JobRecord } from "../../domain/job-record.ts";
import type { Deps } from "../../domain/deps.ts";
import { definitionBlob, multinodeBlob } from "../../domain/blob-names.ts";
import { kept, type Kept } from "../../domain/kept.ts";
import { pause } from "../../domain/pause.ts";
import { blockYaml } from "../shapes/block-yaml.ts";
import { numberOf } from "./numbers.ts";

/** What a job was submitted with. It never changes. */
interface Texts {
  readonly definition: string;
  readonly original: string;
  readonly multinode: string;
}

const MOST_CHARS = 4 * 2 ** 20;
/** Of each lab, those of the jobs that lists and polling scripts ask for again and again: to make one takes a millisecond. */
const texts = new WeakMap<Deps["blobs"], Kept<Texts>>();

/** A job as LAVA's REST API tells it. Its token is nobody's but its worker's. For a job that whoever asks may see. */
export async function restJob(deps: Deps, job: JobRecord): Promise<object> {
  const { definition, original, multinode } = await textsOf(deps, job);
  return {
    id: job.id,
    submitter: job.submitter,
    viewing_groups: job.viewing_groups ?? [],
    description: job.description,
    health_check: job.health_check === true,
    requested_device_type: job.host_job === undefined ? job.device_type : null,
    tags: job.tags.map((tag) => numberOf("tag", tag)),
    actual_device: job.device ?? null,
    submit_time: job.submit_time,
    start_time: job.start_time ?? null,
    end_time: job.end_time ?? null,
    state: job.state,
    health: job.health,
    priority: job.priority,
    definition,
    original_definition: original,
    multinode_definition: multinode,
    failure_tags: [],
    failure_comment: job.error_msg ?? null,
    ...(attemptOf(job) > 1 ? { attempt: attemptOf(job) } : {}),
  };
}

async function textsOf({ blobs }: Deps, { id, group }: JobRecord): Promise<Texts> {
  const all = texts.get(blobs) ?? kept<Texts>(MOST_CHARS, charsIn);
  texts.set(blobs, all);
  const known = all.find(String(id));
  if (known) return known;
  const [own, whole] = await Promise.all([
    blobs.get(definitionBlob(id)),
    group === undefined ? undefined : blobs.get(multinodeBlob(id)),
  ]);
  const made = await madeOf(own, whole);
  // It may be removed with its job.
  if (own) all.keep(String(id), made);
  return made;
}

const charsIn = ({ definition, original, multinode }: Texts): number =>
  definition.length + original.length + multinode.length;

/** `definition` is in the form in which LAVA keeps it: keys in order, without comments. */
async function madeOf(own: Uint8Array | undefined, whole: Uint8Array | undefined): Promise<Texts> {
  const decoder = new TextDecoder();
  const text = own ? decoder.decode(own) : "";
  const multinode = whole ? decoder.decode(whole) : "";
  if (text !== "") await pause();
  return {
    definition: text === "" ? "" : blockYaml(readYaml(text).value),
    original: multinode === "" ? text : multinode,
    multinode,
  };
}
