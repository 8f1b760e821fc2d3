import type { IncomingMessage, Server } from "node:http";
import type { Duplex } from "node:stream";
import { WebSocketServer, type WebSocket } from "ws";
import type { ChangeRecord } from "../../domain/changes.ts";
import type { Deps } from "../../domain/deps.ts";
import { followEvents } from "../../domain/events/follow-events.ts";
import { jobsOfWorker } from "../../domain/events/worker-events.ts";
import { MOST_LISTENERS } from "../../domain/events/listeners.ts";
import type { Principal } from "../../domain/principal.ts";
import { addressGroup } from "../../domain/sign-in-limits.ts";
import { addressSeen } from "../../http/client-address.ts";
import { makeFailureLimit } from "../../http/failure-limit.ts";
import { lavaEvent } from "./lava-event.ts";
import { listenerOf } from "./listener-of.ts";

const LIMITS = {
  heartbeatMs: 30_000,
  /** Of one that reads too slowly so much waits at most; then it is gone, and may come again. */
  waitingBytes: 1024 * 1024,
  listeners: MOST_LISTENERS.all,
  listenersOfAddress: MOST_LISTENERS.ofAddress,
};

/** For `createServer`, as `shouldUpgradeCallback`: any other upgrade that a client offers is a request like others. */
export const isWebSocket = ({ headers }: IncomingMessage): boolean =>
  headers.upgrade?.toLowerCase() === "websocket";

/**
 * LAVA's event stream at `/ws/` (API.md 1.8), where a process of ours keeps connections. Who has a token, as `Authorization:
 * Token ...` or as `?token=`, hears what they may see; a worker, of its own jobs; anybody else what the lab shows to people who are
 * not signed in.
 */
export function serveEventSockets(
  server: Server,
  deps: Deps,
  given: Partial<typeof LIMITS> & { readonly trustedProxies?: number } = {},
): { close(): void } {
  const limits = { ...LIMITS, ...given };
  if (!("shouldUpgradeCallback" in server)) {
    // An older one would bring us the requests of every client that offers another protocol beside its own.
    deps.system.log("no event stream at /ws/: it needs Node.js 24.9 or later");
    return { close() {} };
  }
  const sockets = new WebSocketServer({
    noServer: true,
    // Nobody has anything to say.
    maxPayload: 4096,
    perMessageDeflate: false,
  });
  const failures = makeFailureLimit(() => deps.system.now());
  const places = new Map<string, number>();
  /** Gives an address one more place, until the connection is closed; false when it has them all. */
  const takePlace = (address: string, socket: Duplex): boolean => {
    const of = addressGroup(address);
    const taken = places.get(of) ?? 0;
    if (taken >= limits.listenersOfAddress) return false;
    places.set(of, taken + 1);
    socket.once("close", () => {
      const left = (places.get(of) ?? 1) - 1;
      if (left > 0) places.set(of, left);
      else places.delete(of);
    });
    return true;
  };

  async function upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    const url = new URL(request.url ?? "/", "http://lab");
    if (!/^\/ws\/?$/.test(url.pathname)) return refuse(socket, "404 Not Found", "LAVA's is /ws/");
    if (sockets.clients.size >= limits.listeners) {
      return refuse(socket, "503 Service Unavailable", "too many listen");
    }
    const address = addressOf(request, given.trustedProxies);
    const { authorization, "lava-token": lavaToken } = request.headers;
    const principal = await listenerOf(deps, {
      authorization,
      lavaToken: lavaToken?.toString(),
      token: url.searchParams.get("token") ?? undefined,
    });
    if (!principal) {
      failures.check(address);
      failures.note(address);
      return refuse(socket, "401 Unauthorized", "a token is needed: /ws/?token=TOKEN");
    }
    if (socket.destroyed) return;
    if (!takePlace(address, socket)) {
      const why = `too many listen from ${address}: at most ${limits.listenersOfAddress}`;
      return refuse(socket, "429 Too Many Requests", why);
    }
    const ending = new AbortController();
    const changes = changesFor(deps, principal, ending.signal);
    // Also of one whose handshake fails, whom nobody tells anything.
    socket.on("close", () => {
      ending.abort();
      changes.return(undefined).catch(() => {});
    });
    // Before the answer: whoever has it hears all that happens from then on.
    await changes.next();
    sockets.handleUpgrade(
      request,
      socket,
      head,
      (listener) => void tell(deps, changes, listener, limits),
    );
  }
  // The server no longer knows those that came to be upgraded, but waits for them when it closes.
  const taken = new Set<Duplex>();
  server.on("upgrade", (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    taken.add(socket);
    socket.once("close", () => taken.delete(socket));
    socket.on("error", () => socket.destroy());
    upgrade(request, socket, head).catch(() => refuse(socket, "503 Service Unavailable", "later"));
  });
  return {
    close() {
      for (const listener of sockets.clients) listener.terminate();
      sockets.close();
      for (const socket of taken) socket.destroy();
    },
  };
}

async function tell(
  deps: Deps,
  news: AsyncIterable<ChangeRecord[]>,
  listener: WebSocket,
  { heartbeatMs, waitingBytes }: Pick<typeof LIMITS, "heartbeatMs" | "waitingBytes">,
): Promise<void> {
  let isAlive = true;
  listener.on("pong", () => (isAlive = true));
  listener.on("error", () => listener.terminate());
  const beating = setInterval(() => {
    if (!isAlive) return listener.terminate();
    isAlive = false;
    listener.ping();
  }, heartbeatMs);
  listener.on("close", () => clearInterval(beating));
  try {
    for await (const changes of news) {
      for (const change of changes) {
        const text = lavaEvent(change, (id) => deps.system.hash(id));
        if (text !== undefined) listener.send(text);
      }
      // What waits for it goes with it at once; a farewell would wait behind all that.
      if (listener.bufferedAmount > waitingBytes) return listener.terminate();
    }
  } catch (error) {
    deps.system.log("a listener's events failed", { error: String(error) });
  }
  // Whoever it was comes again, if they want to.
  listener.close(1012);
}

/** Some at a time, perhaps none; from the first answer on nothing is missed. */
async function* changesFor(
  deps: Deps,
  principal: Principal,
  signal: AbortSignal,
): AsyncGenerator<ChangeRecord[]> {
  if (principal.kind === "worker") return yield* jobsOfWorker(deps, principal, signal);
  for await (const entries of followEvents(deps, principal, { follow: true, signal })) {
    yield entries.flatMap(({ event }) => (event ? [event] : []));
  }
}

const addressOf = ({ socket, headers }: IncomingMessage, trustedProxies = 0): string =>
  addressSeen(headers["x-forwarded-for"]?.toString(), {
    address: socket.remoteAddress,
    trustedProxies,
  });

/** Whoever was refused is to go: what they go on to say is thrown away, and they have a second to hear why. */
function refuse(socket: Duplex, status: string, why: string): void {
  const body = JSON.stringify({ error: why });
  const head = `HTTP/1.1 ${status}\r\ncontent-type: application/json\r\nconnection: close\r\n`;
  socket.end(`${head}content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
  socket.resume();
  const late = setTimeout(() => socket.destroy(), 1000);
  socket.once("close", () => clearTimeout(late));
}
