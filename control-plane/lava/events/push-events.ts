import type { ChangeRecord } from "../../domain/changes.ts";
import type { Deps } from "../../domain/deps.ts";
import { EVENT_KINDS, listenerSight, type EventSight } from "../../domain/events/event-sight.ts";
import {
  listenersPage,
  removeListener,
  type ListenerRecord,
} from "../../domain/events/listeners.ts";
import { Unavailable } from "../../ports/unavailable.ts";
import { lavaEvent } from "./lava-event.ts";

/** Of whoever keeps the connections. `gone`: also of one that is not there yet. */
interface Connections {
  post(id: string, text: string): Promise<"sent" | "gone" | "slow">;
  end(id: string): Promise<void>;
}

/** What is older comes of a backup, or was tried again for too long. */
const FRESH_MS = 10 * 60 * 1000;
/** So long after the lab has let somebody in, their connection may not be there yet. */
const OPENING_MS = 15_000;
const OPENING_PAUSES_MS = [100, 200, 400, 800, 1600];
/** Listeners who are told at a time. */
const AT_ONCE = 50;

/**
 * Tells changes to all who listen at API Gateway, as LAVA's events: to each what they may see, in the given order. Who does not take
 * theirs, and who may see nothing any more, is cut off. Keeps what it knows of listeners from call to call. Throws when the table
 * is away, once everybody else was told: then all may be told again.
 */
export function createPusher(
  deps: Deps,
  connections: Connections,
  pauseMs: (ms: number) => Promise<void> = (ms) => new Promise((done) => setTimeout(done, ms)),
): (changes: readonly ChangeRecord[]) => Promise<void> {
  let sights = new Map<string, EventSight>();

  async function letGo({ id }: ListenerRecord): Promise<void> {
    sights.delete(id);
    await removeListener(deps, id);
  }

  async function cutOff(listener: ListenerRecord, why: string): Promise<void> {
    deps.system.log("a listener was cut off", { why, connection: listener.id });
    await letGo(listener);
    await connections.end(listener.id);
  }

  async function sightNow({ id, principal }: ListenerRecord): Promise<EventSight | undefined> {
    const known = sights.get(id);
    if (known) return (await known.isGood()) ? known : undefined;
    const sight = await listenerSight(deps, principal);
    if (sight) sights.set(id, sight);
    return sight;
  }

  async function post({ id, since }: ListenerRecord, text: string) {
    let outcome = await connections.post(id, text);
    for (const ms of OPENING_PAUSES_MS) {
      if (outcome !== "gone" || deps.system.now() - since > OPENING_MS) break;
      await pauseMs(ms);
      outcome = await connections.post(id, text);
    }
    return outcome;
  }

  async function tell(listener: ListenerRecord, events: readonly ChangeRecord[]): Promise<void> {
    const sight = await sightNow(listener);
    if (!sight) return cutOff(listener, "may see nothing any more");
    for (const change of events) {
      if (!(await sight.sees(change))) continue;
      const text = lavaEvent(change, (id) => deps.system.hash(id));
      const outcome = text === undefined ? "sent" : await post(listener, text);
      if (outcome === "gone") return letGo(listener);
      if (outcome === "slow") return cutOff(listener, "does not read");
    }
  }

  /** False when the table is away. What is wrong with one must not have all others told again. */
  async function tellSafely(
    listener: ListenerRecord,
    events: readonly ChangeRecord[],
  ): Promise<boolean> {
    try {
      await tell(listener, events);
    } catch (error) {
      if (error instanceof Unavailable) {
        // What was asked of the table is answered anew when all is told again.
        sights.delete(listener.id);
        return false;
      }
      deps.system.log("a listener's events failed", { error: String(error) });
      await cutOff(listener, "its events failed").catch(() => {});
    }
    return true;
  }

  return async (changes) => {
    const now = deps.system.now();
    const fresh = changes.filter(({ time }) => now - Date.parse(time) < FRESH_MS);
    if (fresh.length === 0) return;
    const events = fresh.filter(({ kind }) => EVENT_KINDS.some((one) => one === kind));
    // What people administer: tokens, groups, permissions. Who may see what is asked again.
    if (events.length < fresh.length) sights = new Map();
    const there = new Set<string>();
    let isAway = false;
    let cursor: string | undefined;
    do {
      const page = await listenersPage(deps, cursor);
      const waiting = page.items.map(({ data }) => data);
      for (const { id } of waiting) there.add(id);
      const lane = async (): Promise<void> => {
        for (let next = waiting.shift(); next; next = waiting.shift()) {
          if (!(await tellSafely(next, events))) isAway = true;
        }
      };
      await Promise.all(Array.from({ length: AT_ONCE }, lane));
      cursor = page.cursor;
    } while (cursor !== undefined);
    for (const id of sights.keys()) if (!there.has(id)) sights.delete(id);
    if (isAway) throw new Unavailable("the table was away while events were told");
  };
}
