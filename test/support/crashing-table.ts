import type { Table } from "../../control-plane/ports/table.ts";

/** What whoever writes hears of when the process dies. */
export class Crash extends Error {
  override readonly name = "Crash";
}

export interface CrashingTable {
  readonly table: Table;
  /** The `nth` write from now on, from 1, is the last thing that the process does; before it is done or after. */
  plan(nth: number, when: "before" | "after"): void;
  readonly isDead: boolean;
  /** Another process on the same data. */
  revive(): void;
}

/**
 * A table whose process can die between any two writes: what is dead neither reads nor writes. `turns` says how many turns each
 * read or write gives to others before it begins.
 */
export function crashingTable(
  inner: Table,
  turns: (what: "read" | "write") => number = () => 0,
): CrashingTable {
  let left = Infinity;
  let when: "before" | "after" = "before";
  let isDead = false;
  let life = 0;

  const requireLife = (ofLife: number) => {
    if (isDead || ofLife !== life) throw new Crash("the process is dead");
  };
  const others = async (what: "read" | "write") => {
    for (let left = turns(what); left > 0; left--) {
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
  };
  const die = () => {
    isDead = true;
    throw new Crash(`it died ${when} writing`);
  };
  async function read<T>(doRead: () => Promise<T>): Promise<T> {
    const mine = life;
    await others("read");
    requireLife(mine);
    const answer = await doRead();
    requireLife(mine);
    return answer;
  }
  async function write<T>(doWrite: () => Promise<T>): Promise<T> {
    const mine = life;
    await others("write");
    requireLife(mine);
    left -= 1;
    const isLast = left === 0;
    if (isLast && when === "before") die();
    const answer = await doWrite();
    if (isLast) die();
    requireLife(mine);
    return answer;
  }

  return {
    table: {
      get: (key) => read(() => inner.get(key)),
      query: (...asked) => read(() => inner.query(...asked)),
      count: (...asked) => read(() => inner.count(...asked)),
      scan: (cursor) => read(() => inner.scan(cursor)),
      transact: (operations) => write(() => inner.transact(operations)),
      counter: (name) => write(() => inner.counter(name)),
      raiseCounter: (name, value) => write(() => inner.raiseCounter(name, value)),
    },
    plan(nth, at) {
      left = nth;
      when = at;
    },
    get isDead() {
      return isDead;
    },
    revive() {
      isDead = false;
      left = Infinity;
      life += 1;
    },
  };
}
