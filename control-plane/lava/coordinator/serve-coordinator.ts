import { once } from "node:events";
import { createServer, type AddressInfo, type Socket } from "node:net";
import type { Deps } from "../../domain/deps.ts";
import { answerCall, type CoordinatorReply } from "./answer-call.ts";

/** A call is its length in eight hexadecimal digits, then JSON; so is the answer, on the same connection, which ends there. */
const LENGTH_DIGITS = 8;
/** LAVA's runner sends no longer one; its JSON may be longer by escapes. */
const MAX_CALL_BYTES = 512 * 1024;
const MOST_CONNECTIONS = 200;
/** From connection to answer: who sends a byte now and then would keep a place for ever. */
const CALL_MS = 10_000;

export interface Coordinator {
  /** `HOST:PORT` with the port that was taken. */
  readonly address: string;
  close(): Promise<void>;
}

/** Listens as a lava-coordinator does (MULTINODE.md 2, wire), for the runners of stock workers. */
export async function serveCoordinator(
  deps: Deps,
  { host, port, callMs = CALL_MS }: { host: string; port: number; callMs?: number },
): Promise<Coordinator> {
  const sockets = new Set<Socket>();
  // Who says that this was all they send still waits for the answer.
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket);
    const late = setTimeout(() => socket.destroy(), callMs);
    socket.once("close", () => {
      clearTimeout(late);
      sockets.delete(socket);
    });
    // Who hangs up in between asks again.
    socket.on("error", () => socket.destroy());
    answerOne(deps, socket).catch((error: unknown) => {
      deps.system.log("coordinator: call failed", { error: String(error) });
      socket.destroy();
    });
  });
  server.maxConnections = MOST_CONNECTIONS;
  server.listen(port, host);
  await once(server, "listening");
  const { address, port: taken } = server.address() as AddressInfo;
  return {
    address: `${address.includes(":") ? `[${address}]` : address}:${taken}`,
    async close() {
      const closed = once(server, "close");
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

async function answerOne(deps: Deps, socket: Socket): Promise<void> {
  // Who hangs up, or is hung up on, says nothing.
  const said = await readCall(socket).catch(() => undefined);
  if (said === undefined) return void socket.destroy();
  const reply: CoordinatorReply = await answerCall(deps, said);
  const text = Buffer.from(JSON.stringify(reply));
  const length = text.length.toString(16).padStart(LENGTH_DIGITS, "0");
  socket.end(Buffer.concat([Buffer.from(length), text]));
}

/** Undefined for what is no call, or ends before it is whole. */
async function readCall(socket: Socket): Promise<unknown> {
  const pieces: Buffer[] = [];
  let bytes = 0;
  let wanted: number | undefined;
  for await (const piece of socket.iterator({ destroyOnReturn: false })) {
    pieces.push(piece as Buffer);
    bytes += (piece as Buffer).length;
    if (wanted === undefined && bytes >= LENGTH_DIGITS) {
      const digits = Buffer.concat(pieces).subarray(0, LENGTH_DIGITS).toString("latin1");
      if (!/^[0-9a-fA-F]{8}$/.test(digits)) return undefined;
      wanted = LENGTH_DIGITS + Number.parseInt(digits, 16);
      if (wanted > MAX_CALL_BYTES) return undefined;
    }
    if (wanted !== undefined && bytes >= wanted) {
      return parsed(Buffer.concat(pieces).subarray(LENGTH_DIGITS, wanted));
    }
  }
  return undefined;
}

function parsed(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString("utf8"));
  } catch {
    return undefined;
  }
}
