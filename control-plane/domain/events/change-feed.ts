import type { ChangeRecord } from "../changes.ts";
import type { Deps } from "../deps.ts";
import { lateFrom, makePosition, timeOf, type Position } from "./position.ts";
import { changesFrom } from "./read-changes.ts";

/** Kept for followers that are slower; whoever is further behind reads the table again. */
const MAX_KEPT = 5000;
/** What may have come late is looked for when nothing rings for so long, or after so many looks. */
const QUIET_MS = 1000;
const LOOKS_BETWEEN = 20;

/** The lab's changes as they come, read once for all that follow in this process. */
export interface ChangeFeed {
  /** From now on; what is in the table when this resolves and not told by `next` was there before. */
  join(): Promise<Follower>;
}

export interface Follower {
  /** What has come since the last call, or, if that is nothing, what comes within `timeoutMs`; undefined when it has to begin anew. */
  next(timeoutMs: number, signal: AbortSignal): Promise<ChangeRecord[] | undefined>;
  leave(): void;
}

const feeds = new WeakMap<object, ChangeFeed>();

/** The feed of this lab in this process. */
export function changeFeed(deps: Deps): ChangeFeed {
  const feed = feeds.get(deps.table) ?? createFeed(deps);
  feeds.set(deps.table, feed);
  return feed;
}

interface State {
  /** The last changes, in the order in which they came; `first` is the number of the first of them. */
  kept: ChangeRecord[];
  first: number;
  position: Position;
  waiting: Set<() => void>;
}

function createFeed(deps: Deps): ChangeFeed {
  let followers = 0;
  let running: Promise<State> | undefined;

  async function start(): Promise<State> {
    const listener = deps.signals.listen("changes");
    const now = new Date(deps.system.now()).toISOString();
    const position = makePosition(now);
    const state: State = { kept: [], first: 0, position, waiting: new Set() };
    await look(deps, state, true);
    void run(deps, state, listener, () => followers > 0).finally(() => {
      running = undefined;
      listener.close();
      state.first = Infinity;
      wake(state);
    });
    return state;
  }

  return {
    async join() {
      followers += 1;
      try {
        running ??= start();
        const state = await running;
        return follower(state, () => {
          followers -= 1;
          if (followers === 0) wake(state);
        });
      } catch (error) {
        followers -= 1;
        running = undefined;
        throw error;
      }
    },
  };
}

async function run(
  deps: Deps,
  state: State,
  listener: ReturnType<Deps["signals"]["listen"]>,
  isWanted: () => boolean,
): Promise<void> {
  for (let looks = 1; isWanted(); looks++) {
    const rung = await listener.rung(QUIET_MS);
    if (deps.signals.isClosed?.()) return;
    try {
      await look(deps, state, !rung || looks % LOOKS_BETWEEN === 0);
    } catch (error) {
      deps.system.log("the changes can't be read", { error: String(error) });
    }
  }
}

/** Reads what is new; `late`: also what has come late. */
async function look(deps: Deps, state: State, late: boolean): Promise<void> {
  const { position, kept } = state;
  const from = (late ? lateFrom : timeOf)(position.latest);
  let isNews = false;
  for await (const change of changesFrom(deps, from)) {
    if (!position.add(change.id)) continue;
    kept.push(change);
    isNews = true;
  }
  const tooMany = kept.length - MAX_KEPT;
  if (tooMany > 0) {
    kept.splice(0, tooMany);
    state.first += tooMany;
  }
  if (isNews) wake(state);
}

function wake({ waiting }: State): void {
  for (const one of waiting) one();
  waiting.clear();
}

function follower(state: State, leave: () => void): Follower {
  let at = state.first + state.kept.length;
  let isIn = true;
  return {
    async next(timeoutMs, signal) {
      if (at === state.first + state.kept.length && !signal.aborted) {
        await woken(state, timeoutMs, signal);
      }
      if (at < state.first) return undefined;
      const news = state.kept.slice(at - state.first);
      at += news.length;
      return news;
    },
    leave() {
      if (isIn) leave();
      isIn = false;
    },
  };
}

function woken({ waiting }: State, timeoutMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(done, timeoutMs);
    function done() {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      waiting.delete(done);
      resolve();
    }
    waiting.add(done);
    signal.addEventListener("abort", done);
  });
}
