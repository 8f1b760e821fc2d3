import type { Operation } from "../ports/table.ts";
import { AppError } from "./app-error.ts";
import type { Deps } from "./deps.ts";
import { attemptsKey } from "./people-keys.ts";
import { retrying } from "./retrying.ts";

/** Tries that failed: of a name from an address, from an address, of a name. */
interface Tries {
  failed: number;
  /** Until then there is no other try. */
  until: string;
  /** The person has signed in from there. */
  known?: true;
}

interface Limit {
  /** Failures that cost nothing but themselves. */
  readonly free: number;
  /** The longest wait after one that does; the first is a second, each is twice the one before. */
  readonly mostSeconds: number;
}

const OF_BOTH: Limit = { free: 5, mostSeconds: 15 * 60 };
const OF_ADDRESS: Limit = { free: 30, mostSeconds: 15 * 60 };
/**
 * For guesses from many addresses. It is short and slow, and does not hold for an address that the person has signed in
 * from: no stranger can lock somebody out of their desk.
 */
const OF_NAME: Limit = { free: 100, mostSeconds: 60 };

const FORGOTTEN_SECONDS = 24 * 60 * 60;
const KNOWN_SECONDS = 90 * 24 * 60 * 60;

/** One try that is under way: it counts as failed until it is told to have worked. */
export interface Attempt {
  readonly name: string;
  readonly address: string;
}

/**
 * Counts a try to sign in, before it is known whether the password is right: tries at the same time count each. Throws
 * `throttled` with the seconds to wait.
 */
export async function beginAttempt(deps: Deps, attempt: Attempt): Promise<void> {
  await retrying(async () => {
    const [both, address, name] = await readTries(deps, attempt);
    const counted = [
      { ...both, limit: OF_BOTH },
      { ...address, limit: OF_ADDRESS },
      ...(both.data.known ? [] : [{ ...name, limit: OF_NAME }]),
    ];
    const now = deps.system.now();
    const until = Math.max(...counted.map(({ data }) => Date.parse(data.until)));
    if (until > now) throw tooMany(Math.ceil((until - now) / 1000));
    const writes = counted.map(({ key, version, data, limit }) => {
      const failed = data.failed + 1;
      const next: Tries = {
        ...data,
        failed,
        until: timeOf(now + waitSeconds(failed, limit) * 1000),
      };
      return triesOperation(deps, key, version, next);
    });
    await deps.table.transact(writes);
  });
}

/** The try has worked: it does not count, and the person is known at that address. */
export async function endAttempt(deps: Deps, attempt: Attempt): Promise<void> {
  await retrying(async () => {
    const [both, address, name] = await readTries(deps, attempt);
    const until = timeOf(0);
    const writes: Operation[] = [
      triesOperation(deps, both.key, both.version, { failed: 0, until, known: true }),
    ];
    const others = both.data.known ? [address] : [address, name];
    for (const { key, version, data } of others) {
      const failed = Math.max(0, data.failed - 1);
      writes.push(triesOperation(deps, key, version, { ...data, failed, until }));
    }
    await deps.table.transact(writes);
  });
}

/** IPv6 gives everybody 2^64 addresses. */
export function addressGroup(address: string): string {
  const plain = address.replace(/^::ffff:(?=\d+\.)/i, "").replace(/%.*$/, "");
  if (!plain.includes(":")) return plain;
  const [head = "", tail] = plain.split("::", 2);
  const left = head === "" ? [] : head.split(":");
  const right = tail === undefined || tail === "" ? [] : tail.split(":");
  const zeros = tail === undefined ? 0 : Math.max(0, 8 - left.length - right.length);
  const whole = [...left, ...Array.from({ length: zeros }, () => "0"), ...right];
  return `${whole
    .slice(0, 4)
    .map((part) => Number.parseInt(part, 16).toString(16))
    .join(":")}::/64`;
}

type Read = { key: ReturnType<typeof attemptsKey>; version: number | undefined; data: Tries };

async function readTries(deps: Deps, { name, address }: Attempt): Promise<[Read, Read, Read]> {
  const from = addressGroup(address);
  const read = async (what: string): Promise<Read> => {
    const key = attemptsKey(deps.system.hash(what));
    const item = await deps.table.get<Tries>(key);
    return { key, version: item?.version, data: item?.data ?? { failed: 0, until: timeOf(0) } };
  };
  return Promise.all([
    read(`both ${JSON.stringify([name, from])}`),
    read(`address ${from}`),
    read(`name ${name}`),
  ]);
}

function triesOperation(
  { system }: Deps,
  key: Read["key"],
  version: number | undefined,
  data: Tries,
): Operation {
  const keptSeconds = data.known ? KNOWN_SECONDS : FORGOTTEN_SECONDS;
  const put = { key, data, expires: system.now() + keptSeconds * 1000 };
  return { put, when: version === undefined ? "absent" : { version } };
}

/** After the free ones 1, 2, 4 ... seconds. */
const waitSeconds = (failed: number, { free, mostSeconds }: Limit): number =>
  failed < free ? 0 : Math.min(2 ** Math.min(failed - free, 30), mostSeconds);

const timeOf = (ms: number): string => new Date(ms).toISOString();

/** Whoever has tried too often, and when to come again. */
export const tooMany = (seconds: number): AppError =>
  new AppError("throttled", `too many tries that failed; try again in ${inWords(seconds)}`, {
    retryAfterSeconds: seconds,
  });

const inWords = (seconds: number): string =>
  seconds < 90 ? `${seconds} s` : `${Math.ceil(seconds / 60)} minutes`;
