import type { Deps } from "./deps.ts";
import type { JobRecord } from "./job-record.ts";
import { shareTurnKey, urgencyOf } from "./keys.ts";
import type { PassFacts } from "./pass-facts.ts";
import { nextLimit, queryFirst } from "./query-all.ts";
import { fillShareQueue } from "./share-queue.ts";

/** How many submitters of one priority are compared with each other; where there are more, one such window follows the other. */
const MOST_SUBMITTERS = 500;

/**
 * The jobs that wait for a device of a type, the one that shall have the next device first (SCHEDULER.md 2.2): by priority, then
 * as they came. With fair share, among equals of priority that of the submitter who has used least of late comes first, each
 * submitter's own as they came. Jobs of submitters whose quota is used up are left out. A pass that needs a few jobs reads a few:
 * with fair share or quotas the first job of each submitter, however many each has waiting.
 */
export async function* waitingJobs(
  deps: Deps,
  deviceType: string,
  passed: PassFacts,
): AsyncGenerator<JobRecord> {
  const { scheduling } = await passed.claims.settings();
  const isFair = scheduling.fair_share !== "off";
  if (isFair || (await passed.claims.hasQuotas())) {
    await fillShareQueue(deps, deviceType);
    yield* inTurns(deps, deviceType, passed, isFair);
    return;
  }
  for await (const { data } of queryFirst<JobRecord>(deps, "i2", `queue#${deviceType}`)) yield data;
}

/** What one submitter has waiting for a device type, by priority and as it came; however many others wait. */
export async function* jobsOfSubmitter(
  deps: Deps,
  deviceType: string,
  submitter: string,
): AsyncGenerator<JobRecord> {
  await fillShareQueue(deps, deviceType);
  let job = await firstAfter(deps, deviceType, "");
  while (job) {
    const urgency = urgencyOf(job);
    yield* jobsOf(deps, deviceType, urgency, submitter);
    job = await firstAfter(deps, deviceType, `${urgency}#~`);
  }
}

/** What one submitter has waiting at one priority. */
interface Turn {
  readonly submitter: string;
  next: JobRecord;
  readonly rest: AsyncGenerator<JobRecord>;
}

async function* inTurns(
  deps: Deps,
  deviceType: string,
  passed: PassFacts,
  isFair: boolean,
): AsyncGenerator<JobRecord> {
  let urgency: string | undefined;
  for (;;) {
    const first = await firstAfter(deps, deviceType, urgency === undefined ? "" : `${urgency}#~`);
    if (!first) return;
    urgency = urgencyOf(first);
    for await (const turns of windowsAt(deps, deviceType, first, passed)) {
      yield* turnByTurn(turns, passed, isFair);
    }
  }
}

async function* turnByTurn(
  turns: Turn[],
  passed: PassFacts,
  isFair: boolean,
): AsyncGenerator<JobRecord> {
  while (turns.length > 0) {
    const index = await bestOf(turns, passed, isFair);
    const turn = turns[index];
    if (!turn || (await passed.claims.fullFor(turn.next))) {
      turns.splice(index, 1);
      continue;
    }
    yield turn.next;
    const following = await turn.rest.next();
    if (following.done) turns.splice(index, 1);
    else turn.next = following.value;
  }
}

/**
 * The submitters who have jobs waiting at the priority of a job, which is the first of them: mostly all at once. Of very many, window
 * by window, and each pass begins after the window with which the one before began: so each of them is among the first in turn.
 */
async function* windowsAt(
  deps: Deps,
  deviceType: string,
  first: JobRecord,
  { isPass }: PassFacts,
): AsyncGenerator<Turn[]> {
  const urgency = urgencyOf(first);
  const all = await turnsFrom(deps, deviceType, urgency, "");
  if (all.length < MOST_SUBMITTERS) return yield all;
  const key = shareTurnKey(deviceType);
  const last = (await deps.table.get<{ after: string }>(key))?.data.after ?? "";
  let from = last;
  let isRound = last === "";
  for (let isFirst = true; ; isFirst = false) {
    const read = await turnsFrom(deps, deviceType, urgency, from);
    const [end, isEnd] = [read.at(-1)?.submitter ?? "", read.length < MOST_SUBMITTERS];
    if (isFirst && isPass) await deps.table.transact([{ put: { key, data: { after: end } } }]);
    // From the end of the list on from its beginning, up to where it began.
    const isBack = isRound && last !== "";
    const window = isBack ? read.filter(({ submitter }) => submitter <= last) : read;
    const isOver = isRound && (isEnd || window.length < read.length);
    if (window.length > 0) yield window;
    if (isOver) return;
    isRound ||= isEnd;
    from = isEnd ? "" : end;
  }
}

/** The submitters of a priority that come after one by name, as many as are compared with each other. */
async function turnsFrom(
  deps: Deps,
  deviceType: string,
  urgency: string,
  after: string,
): Promise<Turn[]> {
  const turns: Turn[] = [];
  const next = (submitter: string) =>
    firstAfter(deps, deviceType, submitter === "" ? `${urgency}#` : `${urgency}#${submitter}#~`);
  let job = await next(after);
  while (job && urgencyOf(job) === urgency && turns.length < MOST_SUBMITTERS) {
    const { submitter } = job;
    const rest = jobsOf(deps, deviceType, urgency, submitter);
    const head = await rest.next();
    if (!head.done) turns.push({ submitter, next: head.value, rest });
    job = await next(submitter);
  }
  return turns;
}

async function bestOf(turns: readonly Turn[], passed: PassFacts, isFair: boolean): Promise<number> {
  const uses = await Promise.all(
    turns.map(async ({ submitter }) => (isFair ? passed.claims.useOf(submitter) : 0)),
  );
  let best = 0;
  for (const index of turns.keys()) {
    const less = (uses[index] ?? 0) - (uses[best] ?? 0);
    if (less < 0 || (less === 0 && isEarlier(turns[index]?.next, turns[best]?.next))) best = index;
  }
  return best;
}

const isEarlier = (a: JobRecord | undefined, b: JobRecord | undefined): boolean =>
  a !== undefined &&
  b !== undefined &&
  (a.submit_time === b.submit_time ? a.id < b.id : a.submit_time < b.submit_time);

async function firstAfter(
  { table }: Deps,
  deviceType: string,
  from: string,
): Promise<JobRecord | undefined> {
  const range = { limit: 1, ...(from === "" ? {} : { from }) };
  const { items } = await table.query<JobRecord>("i3", `share-queue#${deviceType}`, range);
  return items[0]?.data;
}

/** What a submitter has waiting at a priority, as it came. */
async function* jobsOf(
  { table }: Deps,
  deviceType: string,
  urgency: string,
  submitter: string,
): AsyncGenerator<JobRecord> {
  const range = { from: `${urgency}#${submitter}#`, to: `${urgency}#${submitter}#~` };
  let cursor: string | undefined;
  let limit = 1;
  do {
    const page = await table.query<JobRecord>("i3", `share-queue#${deviceType}`, {
      ...range,
      limit,
      ...(cursor === undefined ? {} : { cursor }),
    });
    for (const { data } of page.items) yield data;
    cursor = page.cursor;
    limit = nextLimit(limit);
  } while (cursor !== undefined);
}
