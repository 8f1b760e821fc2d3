import { once } from "node:events";
import { WebSocket } from "ws";

/** Somebody who listens to LAVA's event stream. */
export interface EventListener {
  readonly socket: WebSocket;
  /** The next message of this topic whose data has these; what comes before it is dropped. */
  next(topic: string, like?: Record<string, unknown>): Promise<Record<string, unknown>>;
  /** The code with which the other side has closed it. */
  readonly closed: Promise<number>;
  /** The data of all messages that wait now, in order. */
  rest(): Record<string, unknown>[];
}

/** Throws the status when it is refused. */
export async function listenTo(
  url: string,
  headers: Record<string, string> = {},
): Promise<EventListener> {
  const socket = new WebSocket(url, { headers });
  const waiting: string[] = [];
  let wake = () => {};
  socket.on("message", (data: Buffer) => {
    waiting.push(data.toString());
    wake();
  });
  const closed = once(socket, "close").then(([code]) => code as number);
  closed.catch(() => {});
  const refused = once(socket, "unexpected-response").then(([, answer]) => {
    const { statusCode } = answer as { statusCode: number };
    socket.on("error", () => {});
    socket.terminate();
    throw new Error(String(statusCode));
  });
  refused.catch(() => {});
  await Promise.race([once(socket, "open"), refused]);
  const dataOf = (text: string) =>
    JSON.parse((JSON.parse(text) as string[])[4] ?? "") as Record<string, unknown>;
  return {
    socket,
    closed,
    rest: () => waiting.splice(0).map(dataOf),
    async next(topic, like = {}) {
      for (;;) {
        for (let text = waiting.shift(); text !== undefined; text = waiting.shift()) {
          const data = dataOf(text);
          const isLike = Object.entries(like).every(([name, value]) => data[name] === value);
          const [of] = JSON.parse(text) as string[];
          if (of === `org.lavasoftware.${topic}` && isLike) return data;
        }
        await new Promise<void>((resolve) => (wake = resolve));
      }
    },
  };
}
