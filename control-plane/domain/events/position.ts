/** A change is in the table at most so long after its time: a transaction may take a while, and indexes lag. */
export const LATE_MS = 10_000;

/**
 * How far a follower of the changes has come. Changes are read in the order of their ids, but one may come into the table after
 * others with later times; so those of the last seconds are looked at again, and a position knows which of them were told: by
 * their number and the exclusive or of their ids, so that it is as short as an id.
 */
export interface Position {
  /** Of the latest change that was told, or that there was when the follower came. */
  readonly latest: string;
  /** Marks a change as told. False: it was already. */
  add(id: string): boolean;
  /** For whoever goes on later: `readPosition`. */
  text(): string;
}

/** What a position's text says. */
export interface ToldUpTo {
  readonly latest: string;
  readonly count: number;
  /** Twelve hex digits. */
  readonly sum: string;
}

export const timeOf = (id: string): string => id.slice(0, 24);

/** The first id that may still be news to somebody who has come to `latest`. */
export const lateFrom = (latest: string): string =>
  new Date(Date.parse(timeOf(latest)) - LATE_MS).toISOString();

/** The position of somebody to whom these were told, in the order of ids. */
export function makePosition(latest: string, told: Iterable<string> = []): Position {
  const known = new Set<string>();
  // In the order of ids; those before `front` are forgotten.
  let ids: string[] = [];
  let front = 0;
  let highest = latest;
  let from = lateFrom(latest);
  let sum = 0n;
  const forget = () => {
    for (let id = ids[front]; id !== undefined && id < from; id = ids[front]) {
      known.delete(id);
      sum ^= valueOf(id);
      front += 1;
    }
    if (front < 1000 || front < ids.length / 2) return;
    ids = ids.slice(front);
    front = 0;
  };
  const position: Position = {
    get latest() {
      return highest;
    },
    add(id) {
      if (known.has(id) || id < from) return false;
      known.add(id);
      sum ^= valueOf(id);
      let at = ids.length;
      while (at > front && (ids[at - 1] ?? "") > id) at -= 1;
      if (at === ids.length) ids.push(id);
      else ids.splice(at, 0, id);
      if (id > highest) {
        const isLater = timeOf(id) > timeOf(highest);
        highest = id;
        if (isLater) {
          from = lateFrom(id);
          forget();
        }
      }
      return true;
    },
    text: () => `${highest}~${known.size}~${sum.toString(16).padStart(12, "0")}`,
  };
  for (const id of told) position.add(id);
  return position;
}

/** Undefined for what is no position. */
export function readPosition(text: string): ToldUpTo | undefined {
  const [, latest, count, sum] =
    /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z(?:#[0-9a-f]{16})?)~(\d{1,9})~([0-9a-f]{12})$/.exec(
      text,
    ) ?? [];
  if (latest === undefined || count === undefined || sum === undefined) return undefined;
  return Number.isNaN(Date.parse(timeOf(latest)))
    ? undefined
    : { latest, count: Number(count), sum };
}

/**
 * Which of the changes that may have come late were not told to whoever is at this position. `window`: all of them up to
 * `latest`. Where several have come since, or
 * two have the same random part, that can't be known, and all are told again: their ids say that they are the same.
 */
export function untold({ latest, count, sum }: ToldUpTo, window: readonly string[]): string[] {
  const ids = window.filter((id) => id >= lateFrom(latest) && id <= latest);
  const total = ids.reduce((all, id) => all ^ valueOf(id), 0n);
  const rest = total ^ BigInt(`0x${sum}`);
  if (ids.length === count && rest === 0n) return [];
  const ones = ids.filter((id) => valueOf(id) === rest);
  return ids.length === count + 1 && ones.length === 1 ? ones : ids;
}

/** The random part of an id. */
const valueOf = (id: string): bigint => BigInt(`0x${id.slice(-12)}`);
