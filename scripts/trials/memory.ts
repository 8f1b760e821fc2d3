import { setTimeout as sleep } from "node:timers/promises";

/** Resident memory of a server over time, in MB. */
export interface Memory {
  readonly begin_mb: number;
  readonly end_mb: number;
  readonly most_mb: number;
  /** One each ten seconds. */
  readonly samples_mb: readonly number[];
  /** Of the line through the second half, when all that fills has filled. */
  readonly mb_per_minute: number;
  /** No steeper than `MOST_MB_PER_MINUTE`; undefined for a time that is too short to say it. */
  readonly is_flat?: boolean;
}

export const MOST_MB_PER_MINUTE = 3;
/** Below that, caches and the heap are still filling in the second half. */
export const LEAST_SECONDS = 300;
const SAMPLE_SECONDS = 10;

/** Looks each second until `signal` is aborted. Undefined where there is nothing to look at. */
export async function watchMemory(
  rssMb: () => number | undefined,
  signal: AbortSignal,
): Promise<Memory | undefined> {
  const seen: number[] = [];
  while (!signal.aborted) {
    const mb = rssMb();
    if (mb === undefined) return undefined;
    seen.push(mb);
    await sleep(1000, undefined, { signal }).catch(() => {});
  }
  return memoryOf(seen);
}

/** `seen`: at least one figure, one a second. */
export function memoryOf(seen: readonly number[]): Memory {
  const late = seen.slice(seen.length >> 1);
  const mean = (of: number[]): number => of.reduce((sum, one) => sum + one, 0) / of.length;
  const [x, y] = [(late.length - 1) / 2, mean(late)];
  const over = mean(late.map((mb, n) => (n - x) * (mb - y)));
  const perMinute = (60 * over) / (mean(late.map((_, n) => (n - x) ** 2)) || 1);
  const isLong = seen.length >= LEAST_SECONDS;
  return {
    ...{ begin_mb: rounded(seen[0]!), end_mb: rounded(seen.at(-1)!) },
    ...{ most_mb: rounded(Math.max(...seen)), mb_per_minute: rounded(perMinute) },
    samples_mb: seen.filter((_, second) => second % SAMPLE_SECONDS === 0).map(rounded),
    ...(isLong ? { is_flat: perMinute <= MOST_MB_PER_MINUTE } : {}),
  };
}

const rounded = (mb: number): number => Math.round(mb * 10) / 10;
