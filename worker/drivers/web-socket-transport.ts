import type { Transport } from "../console/transport.ts";
import { JobFailure } from "../pipeline/job-failure.ts";

/** As long as the far side may take to say good-bye. */
const GRACE_MS = 1000;

/**
 * A web socket whose messages are a DUT's console.
 *
 * @throws JobFailure Infrastructure when it can't be opened; the signal's reason when aborted.
 */
export async function webSocketTransport(url: string, signal: AbortSignal): Promise<Transport> {
  signal.throwIfAborted();
  if (typeof WebSocket === "undefined") {
    const remedy = "give the device a worker on x86-64 or arm64, or a Node.js 22 or later";
    throw new JobFailure("Infrastructure", `this worker's Node.js has no web sockets: ${remedy}`);
  }
  const socket = new WebSocket(url);
  socket.binaryType = "arraybuffer";
  const early: Uint8Array[] = [];
  let listener = (bytes: Uint8Array): void => void early.push(bytes);
  socket.addEventListener("message", ({ data }) => {
    listener(typeof data === "string" ? Buffer.from(data) : new Uint8Array(data as ArrayBuffer));
  });
  const ended = new Promise<string>((resolve) => {
    socket.addEventListener("close", ({ code, reason }) =>
      resolve(`the web socket was closed (${code}${reason === "" ? "" : ` ${reason}`})`),
    );
  });
  const close = (): void => socket.close();
  signal.addEventListener("abort", close, { once: true });
  const opened = new Promise<true>((resolve) =>
    socket.addEventListener("open", () => resolve(true)),
  );
  const result = await Promise.race([opened, ended]);
  signal.removeEventListener("abort", close);
  signal.throwIfAborted();
  if (result !== true) {
    const { origin } = new URL(url);
    throw new JobFailure("Infrastructure", `the console at ${origin} can't be opened: ${result}`);
  }
  return {
    onData: (next) => {
      listener = next;
      for (const bytes of early.splice(0)) next(bytes);
    },
    onEnd: (next) => void ended.then(next),
    write: async (bytes) => {
      if (socket.readyState !== WebSocket.OPEN) throw new Error("the web socket is closed");
      socket.send(new Uint8Array(bytes));
    },
    close: async () => {
      socket.close();
      const late = new Promise<void>((resolve) => setTimeout(resolve, GRACE_MS).unref());
      await Promise.race([ended, late]);
    },
  };
}
