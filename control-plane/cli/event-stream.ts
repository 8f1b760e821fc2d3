import { setTimeout as sleep } from "node:timers/promises";
import type { Problem } from "#protocol/api.ts";
import { ClientError } from "./client.ts";
import { fetchFault } from "./fetch-fault.ts";

/** A change of the lab, as `/api/v1/events` tells it. */
export interface LabEvent {
  id: string;
  time: string;
  who: string;
  kind: string;
  name: string;
  changed: Record<string, [string | null, string | null]>;
  reason?: string;
  data?: Record<string, unknown>;
}

interface Source {
  readonly url: string;
  readonly token: string;
  readonly query: URLSearchParams;
  readonly signal: AbortSignal;
  /** False: ends with what there is. */
  readonly follow: boolean;
  /** Told when the stream broke and is asked for again. */
  readonly onRetry: (why: string) => void;
}

const MAX_PAUSE_MS = 10_000;
/** Of so many the ids are remembered: after a break some may come twice. */
const MAX_KNOWN = 2000;

/** The events of a lab, each once; goes on by itself after a break. Throws ClientError when it is refused. */
export async function* eventsOf(source: Source): AsyncGenerator<LabEvent> {
  const place: Place = { pauseMs: 1000 };
  const known = new Set<string>();
  for (let pauseMs = 250; ;) {
    try {
      for await (const event of oneStream(source, place)) {
        pauseMs = 250;
        if (known.has(event.id)) continue;
        known.add(event.id);
        if (known.size > MAX_KNOWN) known.delete(known.values().next().value ?? "");
        yield event;
      }
      if (!source.follow || source.signal.aborted) return;
      await sleep(place.pauseMs, undefined, { signal: source.signal });
    } catch (error) {
      if (source.signal.aborted || error instanceof ClientError) throw error;
      const { why, lasts } = fetchFault(error);
      // A certificate that ends while we listen may be renewed.
      const isHopeless = lasts && place.position === undefined;
      if (!source.follow || isHopeless)
        throw new ClientError(`${source.url} can't be reached: ${why}`);
      source.onRetry(why);
      await sleep(pauseMs, undefined, { signal: source.signal });
      pauseMs = Math.min(2 * pauseMs, MAX_PAUSE_MS);
    }
  }
}

interface Place {
  /** Where to go on. */
  position?: string;
  /** Between two streams, as the server wants it. */
  pauseMs: number;
}

async function* oneStream(
  { url, token, query, signal }: Source,
  place: Place,
): AsyncGenerator<LabEvent> {
  const answer = await fetch(`${url.replace(/\/+$/, "")}/api/v1/events?${query}`, {
    signal,
    headers: {
      authorization: `Bearer ${token}`,
      ...(place.position === undefined ? {} : { "last-event-id": place.position }),
    },
  });
  // Something between us and the control plane, or its restart.
  if ([502, 503, 504].includes(answer.status)) throw new Error(`HTTP ${answer.status}`);
  if (!answer.ok || !answer.body) throw await refusalOf(answer);
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of answer.body) {
    text += decoder.decode(chunk, { stream: true });
    const blocks = text.split("\n\n");
    text = blocks.pop() ?? "";
    for (const block of blocks) {
      const { id, data, retry } = fieldsOf(block);
      if (retry !== undefined) place.pauseMs = Math.min(Number(retry) || 1000, MAX_PAUSE_MS);
      if (id !== undefined) place.position = id;
      if (data !== undefined) yield JSON.parse(data) as LabEvent;
    }
  }
}

function fieldsOf(block: string): Record<string, string | undefined> {
  const fields: Record<string, string> = {};
  for (const line of block.split("\n")) {
    const at = line.indexOf(": ");
    if (at > 0) fields[line.slice(0, at)] = line.slice(at + 2);
  }
  return fields;
}

async function refusalOf(answer: Response): Promise<ClientError> {
  const text = await answer.text();
  let said = text.slice(0, 200);
  try {
    said = (JSON.parse(text) as Problem).message;
  } catch {
    // Not the control plane answered but something before it.
  }
  return new ClientError(said || `HTTP ${answer.status}`, answer.status);
}
