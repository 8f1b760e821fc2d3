import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";

/** A wire to a server on loopback that a test can cut or hold. Close it after the test. */
export interface CutWire {
  /** As the server's, but through the wire. */
  readonly url: string;
  /** Breaks all connections and refuses new ones. */
  cut(): Promise<void>;
  /** Nothing comes through in either direction, and nobody is told. */
  hold(): void;
  /** From now on everything takes so much longer each way, until it is mended. */
  slow(ms: number): void;
  /** As at first. */
  mend(): Promise<void>;
  close(): Promise<void>;
}

export async function cutWire(target: string): Promise<CutWire> {
  const { hostname, port } = new URL(target);
  const sockets = new Set<Socket>();
  let isHeld = false;
  let delayMs = 0;
  const pair = (near: Socket): void => {
    const far = connect(Number(port), hostname);
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(one);
      let late: Promise<void> | undefined;
      one.on("data", (bytes) => {
        if (delayMs === 0 && !late) return void other.write(bytes);
        const due = new Promise<void>((resolve) => setTimeout(resolve, delayMs));
        late = (late ?? due).then(() => due).then(() => void other.write(bytes));
      });
      one.on("error", () => {});
      one.on("close", () => {
        sockets.delete(one);
        if (late) void late.then(() => other.destroy());
        else other.destroy();
      });
      if (isHeld) one.pause();
    }
  };
  const server: Server = createServer(pair);
  const listen = async (at: number): Promise<void> => {
    server.listen(at, "127.0.0.1");
    await once(server, "listening");
  };
  await listen(0);
  const own = (server.address() as AddressInfo).port;
  const cut = async (): Promise<void> => {
    if (!server.listening) return;
    const closed = once(server, "close");
    server.close();
    for (const socket of sockets) socket.destroy();
    await closed;
  };
  return {
    url: `http://127.0.0.1:${own}`,
    cut,
    hold: () => {
      isHeld = true;
      for (const socket of sockets) socket.pause();
    },
    slow: (ms) => void (delayMs = ms),
    mend: async () => {
      isHeld = false;
      delayMs = 0;
      for (const socket of sockets) socket.resume();
      if (!server.listening) await listen(own);
    },
    close: cut,
  };
}
