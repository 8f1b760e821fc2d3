import type { QueryView } from "#protocol/queries.ts";
import { AppError } from "../app-error.ts";
import { accessOf, type Access } from "../access.ts";
import type { Deps } from "../deps.ts";
import type { JobRecord } from "../job-record.ts";
import type { User } from "../principal.ts";
import { getQuery } from "../queries/saved-queries.ts";
import { searchJobs, type Look } from "../queries/search-jobs.ts";
import { sightBy } from "../visible.ts";
import type { Notify } from "./criteria.ts";
import type { NoticedJob } from "./notice-record.ts";

/** Owner and name of a saved query. */
export type QueryName = readonly [owner: string, name: string];

/** The query of `dependency_query`: OWNER/NAME, also with LAVA's `~` before the owner; NAME alone is one of the submitter's own. */
export function namedQuery(text: string, submitter: string): QueryName {
  const [, owner = submitter, name = ""] = /^(?:~?([^/]*)\/)?(.*)$/s.exec(text) ?? [];
  return [owner, name];
}

/** The saved queries that a `notify` names, by where it names them. */
export function queriesOf(
  { criteria, compare }: Notify,
  submitter: string,
): { where: string; query: QueryName }[] {
  const { dependency_query: text } = criteria;
  const saved = compare?.query && "username" in compare.query ? compare.query : undefined;
  return [
    ...(text === undefined
      ? []
      : [{ where: "criteria.dependency_query", query: namedQuery(text, submitter) }]),
    ...(saved
      ? [{ where: "compare.query", query: [String(saved.username), String(saved.name)] as const }]
      : []),
  ];
}

/** A saved query as far as a job's submitter may use it; undefined when they may not, or there is none. */
export async function findQueryFor(
  deps: Deps,
  submitter: string,
  [owner, name]: QueryName,
): Promise<{ query: QueryView; access: Access } | undefined> {
  const access = await accessOf(deps, submitter);
  const user: User = {
    ...{ kind: "user", name: access.name, admin: access.admin },
    ...{ groups: access.groups, tokenId: "" },
  };
  try {
    return { query: await getQuery(deps, user, owner, name), access };
  } catch (error) {
    if (error instanceof AppError && error.code === "not_found") return undefined;
    throw error;
  }
}

/** The newest jobs that a saved query finds for a submitter, each once, as many as the query has rows; `upTo`: the newest id. */
export async function* jobsOfSaved(
  deps: Deps,
  { query, access }: { query: QueryView; access: Access },
  upTo?: number,
): AsyncGenerator<JobRecord> {
  const look: Look = { looked_at: 0 };
  const how = { upTo, withResults: query.entity !== "testjob" };
  let found = 0;
  for await (const { job } of searchJobs(
    deps,
    sightBy(deps, access),
    query.conditions,
    how,
    look,
  )) {
    yield job;
    if (++found >= query.limit) return;
  }
}

/**
 * Why `dependency_query` keeps a job from telling (SCHEDULER.md 7): the first of the query's other jobs that is not what the
 * criteria want. Undefined when all are, or none is asked about.
 */
export async function whyDependent(
  deps: Deps,
  { criteria: { dependency_query: text, status } }: Notify,
  { id, submitter }: NoticedJob,
): Promise<string | undefined> {
  if (text === undefined) return undefined;
  const asked = namedQuery(text, submitter);
  const found = await findQueryFor(deps, submitter, asked);
  if (!found)
    return `dependency_query: there is no query ${asked.join("/")} that ${submitter} may use`;
  for await (const job of jobsOfSaved(deps, found)) {
    const word = job.state === "Finished" ? job.health.toLowerCase() : job.state.toLowerCase();
    const isSo = status === word || (status === "finished" && job.state === "Finished");
    if (job.id !== id && !isSo)
      return `job ${job.id} of ${asked.join("/")} is ${word}, not ${status}`;
  }
  return undefined;
}
