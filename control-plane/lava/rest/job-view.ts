import { readYaml } from "#protocol/read-yaml.ts";
import { attemptOf, type JobRecord } from "../../domain/job-record.ts";
import type { Deps } from "../../domain/deps.ts";
import { definitionBlob, multinodeBlob } from "../../domain/blob-names.ts";
import { kept } from "../../domain/kept.ts";
import { pause } from "../../domain/pause.ts";
import { blockYaml } from "../shapes/block-yaml.ts";
import { numberOf } from "./numbers.ts";

/** The definitions of the jobs that lists and polling scripts ask for again and again: to make one takes a millisecond. */
const definitions = kept<string>(4 * 2 ** 20, (text) => text.length);

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

/** `definition` is in the form in which LAVA keeps it: keys in order, without comments. */
async function textsOf(deps: Deps, { id, group }: JobRecord) {
  const [own, whole] = await Promise.all([
    deps.blobs.get(definitionBlob(id)),
    group === undefined ? undefined : deps.blobs.get(multinodeBlob(id)),
  ]);
  const decoder = new TextDecoder();
  const text = own ? decoder.decode(own) : "";
  const multinode = whole ? decoder.decode(whole) : "";
  return {
    definition: await definitionOf(text),
    original: multinode === "" ? text : multinode,
    multinode,
  };
}

async function definitionOf(text: string): Promise<string> {
  if (text === "") return "";
  const known = definitions.find(text);
  if (known !== undefined) return known;
  await pause();
  const made = blockYaml(readYaml(text).value);
  definitions.keep(text, made);
  return made;
}
