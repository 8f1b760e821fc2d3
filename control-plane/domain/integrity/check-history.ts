import type { ChangeRecord } from "../changes.ts";
import { changeKey } from "../keys.ts";
import { queryAll } from "../query-all.ts";
import type { Looking } from "./check-page.ts";

/** Of a history that is longer, only how it ends could be told: such ones are left out. */
const MOST = 5000;

/**
 * The changes of a field lead from nothing to what it is now: each state is entered as often as it is left, but for the last one.
 * That holds in whatever order the changes of one millisecond are. Changes that happen with each job are forgotten after a time,
 * so a history counts from where it begins.
 */
export async function checkHistory(
  { deps, say, wholeSince }: Looking,
  kind: "job" | "device" | "worker",
  name: string,
  now: Readonly<Record<string, string>>,
): Promise<void> {
  const steps = new Map<string, [string | null, string | null][]>();
  let seen = 0;
  for await (const { data } of queryAll<ChangeRecord>(
    deps,
    "main",
    changeKey(kind, name, "").partition,
  )) {
    if (++seen > MOST || Date.parse(data.time) <= wholeSince) return;
    for (const [field, step] of Object.entries(data.changed)) {
      if (field in now) steps.set(field, [...(steps.get(field) ?? []), step]);
    }
  }
  for (const [field, value] of Object.entries(now)) {
    const told = steps.get(field) ?? [];
    // Its beginning has been forgotten.
    if (!told.some(([from]) => from === null)) continue;
    const balance = new Map<string | null, number>([[null, 1]]);
    for (const [from, to] of told) {
      balance.set(from, (balance.get(from) ?? 0) - 1);
      balance.set(to, (balance.get(to) ?? 0) + 1);
    }
    balance.set(value, (balance.get(value) ?? 0) - 1);
    const wrong = [...balance].filter(([, count]) => count !== 0);
    if (wrong.length === 0) continue;
    const words = wrong.map(([state, count]) => wordsOf(state, count)).join(", ");
    say("history", `${kind} ${name}`, `its ${field} is ${value}, but it was ${words}`);
  }
}

function wordsOf(state: string | null, count: number): string {
  const times = Math.abs(count) === 1 ? "once" : `${Math.abs(count)} times`;
  const what = count > 0 ? "entered" : "left";
  return `${what} ${times} more than ${count > 0 ? "left" : "entered"} ${state ?? "(not there)"}`;
}
