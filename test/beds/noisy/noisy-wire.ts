import { createServer, type AddressInfo, type Socket } from "node:net";
import { tcpTransport } from "../../../worker/drivers/tcp-transport.ts";
import { noisyTransport, type LineHooks, type LineNoise } from "./noisy-transport.ts";

export interface NoisyWire {
  /** TCP port on loopback. */
  readonly port: number;
  close(): Promise<void>;
}

/**
 * A noisy wire to a console on TCP, for whoever connects: the noise of each connection begins anew with its seed, so that
 * a connection that says and hears the same is disturbed in the same way.
 */
export async function startNoisyWire(
  consolePort: number,
  noise: LineNoise,
  hooks: LineHooks = {},
): Promise<NoisyWire> {
  const near = new Set<Socket>();
  const server = createServer((socket) => {
    near.add(socket);
    socket.on("error", () => {});
    socket.setNoDelay(true);
    socket.pause();
    void connectThrough(socket, consolePort, noise, hooks).catch(() => socket.destroy());
  });
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.address() as AddressInfo).port,
    close: async () => {
      for (const socket of near) socket.destroy();
      await new Promise<void>((resolve) => void server.close(() => resolve()));
    },
  };
}

async function connectThrough(
  socket: Socket,
  port: number,
  noise: LineNoise,
  hooks: LineHooks,
): Promise<void> {
  const never = new AbortController().signal;
  const console = await tcpTransport({ kind: "tcp", host: "127.0.0.1", port }, never);
  const noisy = noisyTransport(console, noise, hooks);
  noisy.onData((bytes) => void (socket.writable && socket.write(bytes)));
  noisy.onEnd(() => socket.end());
  socket.on("data", (bytes: Buffer) => void noisy.write(bytes).catch(() => socket.destroy()));
  socket.on("close", () => void noisy.close());
  socket.resume();
}
