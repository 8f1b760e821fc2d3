/** How long something took each time, in ms; beyond so many, a sample of it. */
export interface Latencies {
  add(name: string, ms: number): void;
  report(): Record<string, Latency>;
}
export interface Latency {
  readonly count: number;
  readonly p50_ms: number;
  readonly p99_ms: number;
  readonly max_ms: number;
}

const MOST_KEPT = 20_000;

export function latencies(): Latencies {
  const all = new Map<string, { count: number; max: number; kept: number[] }>();
  return {
    add(name, ms) {
      const one = all.get(name) ?? { count: 0, max: 0, kept: [] };
      all.set(name, one);
      one.count++;
      one.max = Math.max(one.max, ms);
      if (one.kept.length < MOST_KEPT) one.kept.push(ms);
      // Each has the same chance to be kept (Vitter's algorithm R).
      else {
        const place = Math.floor(Math.random() * one.count);
        if (place < MOST_KEPT) one.kept[place] = ms;
      }
    },
    report: () =>
      Object.fromEntries(
        [...all].map(([name, { count, max, kept }]) => {
          const sorted = kept.toSorted((a, b) => a - b);
          const at = (part: number): number =>
            rounded(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0);
          return [name, { count, p50_ms: at(0.5), p99_ms: at(0.99), max_ms: rounded(max) }];
        }),
      ),
  };
}

const rounded = (ms: number): number => Math.round(ms * 10) / 10;
