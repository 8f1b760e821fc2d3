import { createSocket } from "node:dgram";
import { isIPv6 } from "node:net";
import { ackPacket, OPCODE, readPacket } from "./tftp-packets.ts";

/** What a TFTP server said instead of sending a file; `code` is undefined when it said nothing. */
export class TftpError extends Error {
  readonly code: number | undefined;

  constructor(message: string, code: number | undefined) {
    super(message);
    this.code = code;
  }
}

/**
 * Fetches a small file, to find out whether a server serves it.
 *
 * @throws TftpError when the server refuses, is silent, or when nobody listens.
 */
export async function tftpGet(
  { address, port }: { readonly address: string; readonly port: number },
  file: string,
  { timeoutMs = 500, attempts = 4 } = {},
): Promise<Buffer> {
  const socket = createSocket(isIPv6(address) ? "udp6" : "udp4");
  const blocks: Buffer[] = [];
  let waiting: NodeJS.Timeout | undefined;
  try {
    return await new Promise<Buffer>((resolve, reject) => {
      let last = { packet: readPacket(file, {}), to: { address, port } };
      let tries = 0;
      const send = (): void => {
        tries += 1;
        if (tries > attempts) return reject(new TftpError("no answer", undefined));
        socket.send(last.packet, last.to.port, last.to.address, (error) => {
          if (error) reject(new TftpError(error.message, undefined));
        });
        waiting = setTimeout(send, timeoutMs);
      };
      socket.on("error", ({ message }) => reject(new TftpError(message, undefined)));
      socket.on("message", (packet, from) => {
        const opcode = packet.length >= 4 ? packet.readUInt16BE(0) : 0;
        if (opcode === OPCODE.error) {
          const message = packet.toString("utf8", 4).replace(/\0.*/s, "");
          return reject(new TftpError(message, packet.readUInt16BE(2)));
        }
        if (opcode !== OPCODE.data || packet.readUInt16BE(2) !== blocks.length + 1) return;
        blocks.push(packet.subarray(4));
        if (blocks.length > MAX_BLOCKS) return reject(new TftpError("too large", undefined));
        clearTimeout(waiting);
        last = { packet: ackPacket(blocks.length), to: from };
        tries = 0;
        const isLast = packet.length < 4 + 512;
        if (!isLast) return send();
        socket.send(last.packet, from.port, from.address, () => resolve(Buffer.concat(blocks)));
      });
      send();
    });
  } finally {
    clearTimeout(waiting);
    socket.close();
  }
}

const MAX_BLOCKS = 128;
