import { frozen } from "#protocol/frozen.ts";

/** What was read of the table, good until something of its partition is written: this process is the only one that writes. */
export interface ReadCache {
  /** `partition` is that of an index, too: `i1#jobs`. */
  find(partition: string, name: string): Kept | undefined;
  /** Nobody can change what is kept. `chars`: of the data's JSON. */
  keep(partition: string, name: string, value: unknown, chars: number): void;
  forget(partition: string): void;
}
interface Kept {
  readonly value: unknown;
  readonly chars: number;
}

/** Parsed it takes some three times as much. */
const MOST_CHARS = 2_000_000;
/** What stays when there is too much: to find the first of a map takes a while after others before it went, so many go at a time. */
const LEFT_CHARS = 1_500_000;
/** Of a name and what holds it, for the many things that are not there. */
const OVERHEAD_CHARS = 200;

/** The partition that came first goes first: what is asked for often is soon there again, and finding costs no more than that. */
export function createReadCache(): ReadCache {
  const partitions = new Map<string, Map<string, Kept>>();
  let chars = 0;
  const forget = (partition: string): void => {
    const all = partitions.get(partition);
    if (!all) return;
    for (const kept of all.values()) chars -= kept.chars;
    partitions.delete(partition);
  };
  return {
    forget,
    find: (partition, name) => partitions.get(partition)?.get(name),
    keep(partition, name, value, given) {
      const all = partitions.get(partition) ?? new Map<string, Kept>();
      partitions.set(partition, all);
      const kept = { value: frozen(value), chars: given + OVERHEAD_CHARS };
      chars += kept.chars - (all.get(name)?.chars ?? 0);
      all.set(name, kept);
      if (chars <= MOST_CHARS) return;
      for (const oldest of partitions.keys()) {
        if (chars <= LEFT_CHARS) break;
        forget(oldest);
      }
    },
  };
}
