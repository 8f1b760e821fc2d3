import { AppError } from "../app-error.ts";
import type { ChangeRecord } from "../changes.ts";
import type { Deps } from "../deps.ts";
import type { Principal } from "../principal.ts";
import { changeFeed, type Follower } from "./change-feed.ts";
import { EVENT_KINDS, eventSight, type EventKind, type EventSight } from "./event-sight.ts";
import { lateFrom, makePosition, readPosition, untold, type Position } from "./position.ts";
import { changesFrom } from "./read-changes.ts";

/** Which events somebody wants; all that are given must hold. */
export interface EventFilter {
  kinds?: readonly EventKind[] | undefined;
  job?: number | undefined;
  device?: string | undefined;
  worker?: string | undefined;
}

export interface FollowOptions extends EventFilter {
  /** Position of an earlier stream; or a time. Absent: from now on. */
  after?: string | undefined;
  /** False: ends when what there is was told. */
  follow: boolean;
  /** Ends the stream. */
  signal: AbortSignal;
}

/** What a stream says: an event, or just where it is, so that its reader can go on from there later. */
export interface StreamEntry {
  readonly position: string;
  readonly event?: ChangeRecord;
}

/** A sign of life at least so often. */
const HEARTBEAT_MS = 15_000;
/** So many changes at a time; behind so many that they don't want or may not see, followers are told where they are. */
const BATCH = 200;

/**
 * The lab's changes of jobs, devices and workers that whoever asks may see, each once, in the order in which they came: first
 * those since `after`, then as they happen. None is missed, however late its transaction ended. Ends when its reader is
 * too slow or may no longer see anything; going on from the last position loses nothing. Throws `invalid` for a wrong `after`.
 */
export async function* followEvents(
  deps: Deps,
  principal: Principal,
  options: FollowOptions,
): AsyncGenerator<StreamEntry[]> {
  const sight = await eventSight(deps, principal);
  const isHeld = options.follow && deps.settings.logHoldSeconds > 0;
  const leave = takePlace(deps, principal);
  let follower: Follower | undefined;
  try {
    follower = isHeld ? await changeFeed(deps).join() : undefined;
    const position = { at: makePosition(startOf(deps, options.after)) };
    yield* pick(sight, options, position, backlog(deps, options.after, position));
    yield [{ position: position.at.text() }];
    if (follower) yield* live(sight, options, position, follower);
  } finally {
    follower?.leave();
    leave();
  }
}

/** Streams at a time: a browser's tabs and some programs; and what one process can serve. Of all who are not signed in together. */
export const MOST_OF_A_PERSON = 64;
const MOST_OF_A_PROCESS = 1000;
const places = new WeakMap<object, Map<string, number>>();

/** Counts a stream of this process until it is let go. Throws `throttled`. */
function takePlace({ table }: Deps, principal: Principal): () => void {
  const taken = places.get(table) ?? new Map<string, number>();
  places.set(table, taken);
  const who = "name" in principal ? `${principal.kind} ${principal.name}` : principal.kind;
  const theirs = taken.get(who) ?? 0;
  const all = [...taken.values()].reduce((sum, count) => sum + count, 0);
  const most = theirs >= MOST_OF_A_PERSON ? MOST_OF_A_PERSON : MOST_OF_A_PROCESS;
  if (theirs >= MOST_OF_A_PERSON || all >= MOST_OF_A_PROCESS) {
    const whose = theirs >= MOST_OF_A_PERSON ? "of yours" : "of this lab";
    throw new AppError(
      "throttled",
      `${most} streams of events ${whose} are open, which is the most: close one`,
    );
  }
  taken.set(who, theirs + 1);
  return () => {
    const left = (taken.get(who) ?? 1) - 1;
    if (left === 0) taken.delete(who);
    else taken.set(who, left);
  };
}

interface Place {
  at: Position;
}

function startOf(deps: Deps, after: string | undefined): string {
  const now = new Date(deps.system.now()).toISOString();
  return after === undefined ? now : (readPosition(after)?.latest ?? timeText(after));
}

function timeText(after: string): string {
  const ms = /^\d{4}-\d\d-\d\d([T ][\d:.]+(Z|[+-]\d\d:?\d\d)?)?$/.test(after)
    ? Date.parse(after)
    : Number.NaN;
  if (!Number.isNaN(ms)) return new Date(ms).toISOString();
  throw new AppError(
    "invalid",
    "after: expected the id of an event of this stream, or a time as 2026-11-22T10:00:00Z",
  );
}

/** What there is already: what the reader has not been told; for one without a position, what is about to be told is marked only. */
async function* backlog(deps: Deps, after: string | undefined, place: Place) {
  const told = after === undefined ? undefined : readPosition(after);
  const start = place.at.latest;
  const window: ChangeRecord[] = [];
  let isDecided = false;
  for await (const change of changesFrom(
    deps,
    told || after === undefined ? lateFrom(start) : start,
  )) {
    if (!isDecided && change.id <= start) {
      window.push(change);
      continue;
    }
    if (!isDecided) yield* late();
    isDecided = true;
    if (after !== undefined) yield change;
    else place.at.add(change.id);
  }
  if (!isDecided) yield* late();

  /** Of the last seconds before the position, those that came late. */
  function* late() {
    const news = new Set(
      told
        ? untold(
            told,
            window.map(({ id }) => id),
          )
        : [],
    );
    place.at = makePosition(
      start,
      window.filter(({ id }) => !news.has(id)).map(({ id }) => id),
    );
    for (const change of window) if (news.has(change.id)) yield change;
  }
}

/** Those of the changes that are told, each with the position after it, some at a time. */
async function* pick(
  sight: EventSight,
  filter: EventFilter,
  place: Place,
  changes: AsyncIterable<ChangeRecord> | Iterable<ChangeRecord>,
): AsyncGenerator<StreamEntry[]> {
  let entries: StreamEntry[] = [];
  let count = 0;
  for await (const event of changes) {
    if (!place.at.add(event.id)) continue;
    if (fits(event, filter) && (await sight.sees(event))) {
      entries.push({ position: place.at.text(), event });
    }
    if (++count % BATCH > 0) continue;
    yield entries.length > 0 ? entries : [{ position: place.at.text() }];
    entries = [];
  }
  if (entries.length > 0) yield entries;
}

async function* live(
  sight: EventSight,
  options: FollowOptions,
  place: Place,
  follower: Follower,
): AsyncGenerator<StreamEntry[]> {
  for (;;) {
    const news = await follower.next(HEARTBEAT_MS, options.signal);
    if (!news || options.signal.aborted || !(await sight.isGood())) return;
    if (news.length === 0) yield [{ position: place.at.text() }];
    yield* pick(sight, options, place, news);
  }
}

function fits(
  change: ChangeRecord,
  { kinds = EVENT_KINDS, job, device, worker }: EventFilter,
): boolean {
  const { kind, name, data = {} } = change;
  if (!kinds.some((one) => one === kind)) return false;
  const isOf = (what: EventKind, wanted: string | undefined) =>
    wanted === undefined || (kind === what ? name : String(data[what])) === wanted;
  return (
    isOf("job", job === undefined ? undefined : String(job)) &&
    isOf("device", device) &&
    isOf("worker", worker)
  );
}
