import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";
import type { AddressInfo } from "node:net";

/** A TCP port on loopback that stands for a DUT's serial line: what the DUT does is said by the test. */
export interface LineServer {
  readonly port: number;
  /** Connections so far, in their order. */
  readonly sockets: readonly Socket[];
  close(): Promise<void>;
}

/** Starts one; `dut` gets each connection. */
export async function startLineServer(
  dut: (socket: Socket, nth: number) => void,
  port = 0,
): Promise<LineServer> {
  const sockets: Socket[] = [];
  const server: Server = createServer((socket) => {
    // A client that goes away is no error of the DUT's.
    socket.on("error", () => {});
    sockets.push(socket);
    dut(socket, sockets.length);
  });
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    sockets,
    close: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}
