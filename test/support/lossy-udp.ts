import { createSocket, type Socket } from "node:dgram";

/** Numbers from 0 to 1 that are the same in every run (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

export interface LossyUdp {
  readonly port: number;
  readonly lost: () => number;
  close(): void;
}

/**
 * A bad network between TFTP clients and a server on loopback: after a client's first packet, each is lost, doubled
 * or held back behind the next by chance, the same in every run.
 */
export async function lossyUdp(
  serverPort: number,
  { seed = 1, loss = 0.1, double = 0.05, swap = 0.05 } = {},
): Promise<LossyUdp> {
  const random = seeded(seed);
  let lost = 0;
  const pass = (send: (packet: Buffer) => void) => {
    let held: Buffer | undefined;
    return (packet: Buffer): void => {
      if (random() < loss) {
        lost += 1;
        return;
      }
      if (!held && random() < swap) {
        held = packet;
        return;
      }
      send(packet);
      if (random() < double) send(packet);
      if (held) send(held);
      held = undefined;
    };
  };
  const front = createSocket("udp4");
  const backs = new Map<number, { socket: Socket; take: (packet: Buffer) => void }>();
  front.on("message", (packet, client) => {
    const known = backs.get(client.port);
    if (known) return known.take(packet);
    const socket = createSocket("udp4");
    let transfer = serverPort;
    const toClient = pass((one) => front.send(one, client.port, "127.0.0.1"));
    socket.on("message", (answer, from) => {
      transfer = from.port;
      toClient(answer);
    });
    const take = pass((one) => socket.send(one, transfer, "127.0.0.1"));
    backs.set(client.port, { socket, take });
    socket.send(packet, serverPort, "127.0.0.1");
  });
  await new Promise<void>((resolve) => front.bind(0, "127.0.0.1", resolve));
  return {
    port: front.address().port,
    lost: () => lost,
    close: () => {
      front.close();
      for (const { socket } of backs.values()) socket.close();
    },
  };
}
