import { createSocket } from "node:dgram";
import { ackPacket, readPacket } from "../../worker/services/tftp-packets.ts";

export interface WindowFetch {
  readonly bytes: Buffer;
  readonly options: Readonly<Record<string, string>>;
  /** Acknowledgements that were sent. */
  readonly acks: number;
}

/** A TFTP client with windows as RFC 7440 has them: it acknowledges the last block of each, or what came before a gap. */
export async function fetchInWindows(
  port: number,
  file: string,
  options: Readonly<Record<string, string>>,
): Promise<WindowFetch> {
  const socket = createSocket("udp4");
  try {
    return await new Promise<WindowFetch>((resolve, reject) => {
      const blocks: Buffer[] = [];
      let agreed: Record<string, string> = {};
      let acks = 0;
      let inWindow = 0;
      let server = 0;
      const acknowledge = (then: () => void = () => {}): void => {
        acks += 1;
        inWindow = 0;
        socket.send(ackPacket(blocks.length & 0xffff), server, "127.0.0.1", then);
      };
      socket.on("message", (packet, from) => {
        server = from.port;
        const opcode = packet.readUInt16BE(0);
        if (opcode === 5) return reject(new Error(packet.toString("latin1", 4)));
        if (opcode === 6) {
          const words = packet.toString("latin1", 2).split("\0");
          for (let n = 0; n + 1 < words.length; n += 2) agreed[words[n] ?? ""] = words[n + 1] ?? "";
          if (blocks.length === 0) acknowledge();
          return;
        }
        const size = Number(agreed["blksize"] ?? 512);
        const ahead = (packet.readUInt16BE(2) - blocks.length - 1) & 0xffff;
        // The last one again: what said that it is here was lost. Earlier ones say nothing new.
        if (ahead === 0xffff) return acknowledge();
        if (ahead >= 0x8000) return;
        if (ahead > 0) {
          // A gap: say once per window what is here.
          if (inWindow >= 0) acknowledge();
          inWindow = -1;
          return;
        }
        inWindow = Math.max(0, inWindow) + 1;
        blocks.push(packet.subarray(4));
        const isLast = packet.length < 4 + size;
        if (isLast) {
          const got = { bytes: Buffer.concat(blocks), options: agreed, acks: acks + 1 };
          return acknowledge(() => resolve(got));
        }
        if (inWindow >= Number(agreed["windowsize"] ?? 1)) acknowledge();
      });
      socket.send(readPacket(file, options), port, "127.0.0.1");
    });
  } finally {
    socket.close();
  }
}
