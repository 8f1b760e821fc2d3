import { createSocket } from "node:dgram";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { readAnswer, readPacket } from "../../../worker/services/tftp-packets.ts";
import { tftpGet } from "../../../worker/services/tftp-client.ts";
import { startTftpServer } from "../../../worker/services/tftp-server.ts";
import type { FuzzTarget } from "../engine/fuzz-target.ts";

const SECRET = "nobody may read this by TFTP";

/** Packets to a real server from one port, each behind a byte with its length; afterwards it still serves, and has told no secret. */
export const tftp: FuzzTarget = {
  about: "packets to the TFTP server",
  words: [
    ...[
      "\0",
      "octet\0",
      "netascii\0",
      "mail\0",
      "blksize\0",
      "tsize\0",
      "timeout\0",
      "windowsize\0",
    ],
    ...[
      "1428\0",
      "8\0",
      "65464\0",
      "0\0",
      "-1\0",
      "42/kernel",
      "42/",
      "../",
      "/",
      "secret",
      "\0\x01",
    ],
    ...[
      "42/out/secret",
      "..\\",
      "%2e%2e/",
      "42//kernel",
      "/../42/../../secret",
      "42/kernel/../../../secret",
    ],
    ...[
      Buffer.from([0, 2]),
      Buffer.from([0, 3, 0, 1]),
      Buffer.from([0, 4, 0, 0]),
      Buffer.from([0, 5, 0, 0]),
    ],
  ],
  seeds: () => [
    framed(readPacket("42/kernel", {}), Buffer.from([0, 4, 0, 1])),
    framed(
      readPacket("42/kernel", { blksize: "1428", tsize: "0", windowsize: "4" }),
      Buffer.from([0, 4, 0, 0]),
    ),
    framed(readPacket("../secret", {}), readPacket("42/out/secret", {})),
    framed(Buffer.from("\0\u000142/kernel\0netascii\0"), Buffer.from([0, 5, 0, 0, 0])),
  ],
  async open() {
    const dir = mkdtempSync(path.join(tmpdir(), "pumice-fuzz-tftp-"));
    const root = path.join(dir, "root");
    mkdirSync(path.join(root, "42"), { recursive: true });
    writeFileSync(path.join(dir, "secret"), SECRET);
    writeFileSync(path.join(root, "42/kernel"), "k".repeat(3000));
    writeFileSync(path.join(root, "42/well"), "well");
    symlinkSync(dir, path.join(root, "42/out"));
    const server = await startTftpServer({ address: "127.0.0.1", port: 0, root, timeoutMs: 20 });
    const at = { address: "127.0.0.1", port: server.port };
    return {
      async run(input) {
        const socket = createSocket("udp4");
        const told: Buffer[] = [];
        socket.on("message", (packet) => {
          told.push(packet);
          readAnswer(packet);
        });
        socket.bind(0, "127.0.0.1");
        await once(socket, "listening");
        try {
          for (const packet of unframed(input)) {
            await new Promise<void>((resolve, reject) =>
              socket.send(packet, at.port, at.address, (error) =>
                error ? reject(error) : resolve(),
              ),
            );
          }
          const got = await tftpGet(at, "42/well");
          if (got.toString() !== "well") throw new Error("it serves something else");
          if (Buffer.concat(told).includes(SECRET))
            throw new Error("a file outside of its folder was sent");
        } finally {
          socket.close();
        }
      },
      async close() {
        await server.close();
        rmSync(dir, { recursive: true });
      },
    };
  },
};

const framed = (...packets: readonly Buffer[]): Buffer =>
  Buffer.concat(packets.flatMap((packet) => [Buffer.from([packet.length]), packet]));

/** At most eight packets. */
function unframed(input: Uint8Array): Uint8Array[] {
  const packets: Uint8Array[] = [];
  for (let at = 0; at < input.length && packets.length < 8;) {
    const length = input[at] ?? 0;
    packets.push(input.subarray(at + 1, at + 1 + length));
    at += 1 + length;
  }
  return packets;
}
