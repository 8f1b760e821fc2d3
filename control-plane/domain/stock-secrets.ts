import { makeMasking, type Masking } from "#protocol/mask-secrets.ts";
import { readYaml } from "#protocol/read-yaml.ts";
import { secretTexts } from "#protocol/secret-forms.ts";
import { definitionBlob } from "./blob-names.ts";
import type { Deps } from "./deps.ts";
import type { JobRecord } from "./job-record.ts";
import { jobToken } from "./job-token.ts";
import { withSecrets } from "./with-secrets.ts";

/** So many jobs' secrets are remembered by a process. */
const MOST_JOBS = 200;

const known = new WeakMap<Deps["table"], Map<number, Promise<string[]>>>();

/**
 * Masks a job's secrets and its token in what a stock worker sends, as our own runner does; LAVA's does not. Each call has lines
 * of its own: what a narrow terminal breaks is found within what is masked by one.
 */
export async function secretsMask(
  deps: Deps,
  job: Pick<JobRecord, "id" | "submitter" | "token_nonce">,
): Promise<Masking> {
  const jobs = known.get(deps.table) ?? new Map<number, Promise<string[]>>();
  known.set(deps.table, jobs);
  const values = jobs.get(job.id) ?? readValues(deps, job);
  jobs.set(job.id, values);
  const [oldest] = jobs.size > MOST_JOBS ? jobs.keys() : [];
  if (oldest !== undefined) jobs.delete(oldest);
  const secrets = await values.catch((error: unknown) => {
    jobs.delete(job.id);
    throw error;
  });
  return makeMasking([jobToken(deps, job), ...secrets]);
}

async function readValues(
  deps: Deps,
  { id, submitter }: Pick<JobRecord, "id" | "submitter">,
): Promise<string[]> {
  const bytes = await deps.blobs.get(definitionBlob(id));
  const definition = new TextDecoder().decode(bytes ?? new Uint8Array());
  if (!/\b(secrets|headers)\b/.test(definition)) return [];
  const { values } = await withSecrets(deps, submitter, definition);
  const { secrets } = (readYaml(definition).value ?? {}) as { secrets?: unknown };
  return [...new Set([...values, ...secretTexts(secrets)])];
}
