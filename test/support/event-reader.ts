/** An event of `/api/v1/events` as its reader gets it. */
export interface ReadEvent {
  position: string;
  id: string;
  kind: string;
  name: string;
  who: string;
  changed: Record<string, [string | null, string | null]>;
  data: Record<string, unknown>;
}

export interface EventReader {
  readonly events: ReadEvent[];
  /** Of the last entry, also of one without an event: where to go on. */
  position(): string | undefined;
  /** Resolves when there are so many events; rejects when the stream ends before. */
  until(count: number): Promise<ReadEvent[]>;
  /** Resolves when the stream says where it is: from then on nothing is missed. */
  ready(): Promise<void>;
  /** Resolves when the stream ends. */
  readonly ended: Promise<void>;
  /** Closes the connection. */
  kill(): void;
}

/** Reads a stream of server-sent events as a browser does. */
export function readEvents(body: ReadableStream<Uint8Array>, kill: () => void): EventReader {
  const events: ReadEvent[] = [];
  const waiting = new Set<() => void>();
  let position: string | undefined;
  let isOver = false;
  const tell = () => {
    for (const one of waiting) one();
  };
  const take = (block: string) => {
    const fields = new Map<string, string>();
    for (const line of block.split("\n")) {
      const at = line.indexOf(": ");
      if (at > 0) fields.set(line.slice(0, at), line.slice(at + 2));
    }
    position = fields.get("id") ?? position;
    const data = fields.get("data");
    if (data !== undefined) events.push({ position: position ?? "", ...JSON.parse(data) });
  };
  const ended = (async () => {
    const decoder = new TextDecoder();
    let text = "";
    try {
      for await (const chunk of body) {
        text += decoder.decode(chunk, { stream: true });
        const blocks = text.split("\n\n");
        text = blocks.pop() ?? "";
        for (const block of blocks) take(block);
        tell();
      }
    } catch {
      // Killed.
    }
    isOver = true;
    tell();
  })();
  const wait = (isThere: () => boolean) =>
    new Promise<void>((resolve, reject) => {
      const look = () => {
        if (isThere()) resolve();
        else if (isOver) reject(new Error(`the stream ended after ${events.length} events`));
        else return;
        waiting.delete(look);
      };
      waiting.add(look);
      look();
    });
  return {
    events,
    ended,
    kill,
    position: () => position,
    ready: () => wait(() => position !== undefined),
    async until(count) {
      await wait(() => events.length >= count);
      return events;
    },
  };
}
