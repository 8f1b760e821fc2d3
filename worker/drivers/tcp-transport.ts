import { once } from "node:events";
import { connect, type Socket } from "node:net";
import type { Transport } from "../console/transport.ts";
import { JobFailure } from "../pipeline/job-failure.ts";
import { TelnetProtocol } from "./telnet-protocol.ts";

export interface TcpTarget {
  readonly kind: "tcp" | "telnet";
  readonly host: string;
  readonly port: number;
}

/** A console server that has vanished is noticed after some minutes of silence, not never. */
const KEEP_ALIVE_MS = 30_000;

/**
 * A console behind a TCP port, plain or with the telnet protocol. It is read as fast as it is logged: a DUT that says
 * more waits in its own buffers.
 *
 * @throws JobFailure Infrastructure when nobody answers; the signal's reason when aborted.
 */
export async function tcpTransport(target: TcpTarget, signal: AbortSignal): Promise<Transport> {
  const socket = await connected(target, signal);
  const telnet = target.kind === "telnet" ? new TelnetProtocol() : undefined;
  let why = "was closed by the far side";
  socket.on("error", ({ message }) => (why = `broke: ${message}`));
  // Not `once`: it fails when the socket breaks, which is an end too.
  const ended = new Promise<void>((resolve) => void socket.once("close", () => resolve()));
  return {
    onData: (listener) => {
      socket.on("data", (bytes: Buffer) => {
        if (!telnet) return listener(bytes);
        const { data, reply } = telnet.decode(bytes);
        if (reply.length > 0 && socket.writable) socket.write(reply);
        if (data.length > 0) listener(data);
      });
    },
    onEnd: (listener) => void ended.then(() => listener(why)),
    write: async (bytes) => {
      if (!socket.writable) throw new Error(why);
      if (!socket.write(telnet?.encode(bytes) ?? bytes)) {
        await Promise.race([once(socket, "drain").catch(() => {}), ended]);
      }
    },
    close: async () => {
      why = "was closed";
      socket.destroy();
      await ended;
    },
  };
}

async function connected({ host, port }: TcpTarget, signal: AbortSignal): Promise<Socket> {
  signal.throwIfAborted();
  const socket = connect({
    host,
    port,
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: KEEP_ALIVE_MS,
  });
  const giveUp = (): void => void socket.destroy();
  signal.addEventListener("abort", giveUp, { once: true });
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once("connect", resolve);
      socket.once("error", reject);
      socket.once("close", () => reject(new Error("the attempt was given up")));
    });
  } catch (cause) {
    signal.throwIfAborted();
    const { code, message } = cause as NodeJS.ErrnoException;
    throw new JobFailure("Infrastructure", `can't be opened: ${code ?? message}`, { cause });
  } finally {
    signal.removeEventListener("abort", giveUp);
  }
  return socket;
}
