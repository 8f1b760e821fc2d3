import type { ChangeRecord } from "../../domain/changes.ts";

/** LAVA's `EVENT_TOPIC`, as it is when nobody sets another one. */
const TOPIC = "org.lavasoftware";

const TOPICS: Partial<Record<ChangeRecord["kind"], string>> = {
  job: "testjob",
  device: "device",
  worker: "worker",
  event: "event",
};

/**
 * A change as a message of LAVA's event stream: topic, id, time, user and data, which is JSON in a text (API.md 1.8, SCHEDULER.md
 * 7). Undefined for what LAVA has no topic of.
 */
export function lavaEvent(
  change: ChangeRecord,
  hash: (text: string) => string,
): string | undefined {
  const { id, time, kind, who, data = {} } = change;
  const topic = TOPICS[kind];
  if (topic === undefined) return undefined;
  const { message, job } = data;
  const told = Object.entries(kind === "event" ? { message, job } : data).flatMap(([name, value]) =>
    value === undefined || value === null ? [] : [[name, pythonTime(name, value)]],
  );
  const user = kind === "job" ? String(data["submitter"] ?? who) : who;
  const json = JSON.stringify(Object.fromEntries(told));
  const at = time.replace(/(\.\d{3})Z$/, "$1000");
  return JSON.stringify([`${TOPIC}.${topic}`, uuidOf(hash(id)), at, user, json]);
}

/** Times as Python writes them. */
const pythonTime = (name: string, value: unknown): unknown =>
  name.endsWith("_time") && typeof value === "string"
    ? value.replace(/(\.\d{3})Z$/, "$1000+00:00")
    : value;

const uuidOf = (hex: string): string =>
  [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20, 32)].join(
    "-",
  );
