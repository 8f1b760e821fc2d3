import { createSocket, type RemoteInfo } from "node:dgram";
import { readFile, realpath } from "node:fs/promises";
import { isIPv6 } from "node:net";
import path from "node:path";
import { fileSource, memorySource, type BlockSource } from "./tftp-blocks.ts";
import { ERROR, errorPacket, readRequest, type ReadRequest } from "./tftp-packets.ts";
import { Transfer } from "./tftp-transfer.ts";

export interface TftpOptions {
  readonly address: string;
  /** 0: any free one. */
  readonly port: number;
  /**
   * Folder that is served, read-only. An entry of it may be a symbolic link to a folder elsewhere (a job's);
   * below that, links lead nowhere outside.
   */
  readonly root: string;
  /** A line for each transfer that has ended, and each that was refused. */
  readonly onLine?: (line: string) => void;
  /** Wait for a client's answer before it is sent again; 1 s when not said. */
  readonly timeoutMs?: number;
}

export interface TftpServer {
  readonly port: number;
  /** Somebody is just being sent a file. */
  readonly isBusy: boolean;
  close(): Promise<void>;
}

/**
 * A TFTP server (RFC 1350) with options (2347), block size (2348), time-out and size (2349) and windows (7440).
 * What it doesn't understand it ignores; at most 100 transfers go on at a time.
 *
 * @throws what binding the port throws: EACCES below 1024 without the privilege, EADDRINUSE.
 */
export async function startTftpServer(options: TftpOptions): Promise<TftpServer> {
  const { address, port, onLine = () => {} } = options;
  const root = await realpath(options.root);
  const socket = createSocket(isIPv6(address) ? "udp6" : "udp4");
  const transfers = new Map<string, Running>();
  await new Promise<void>((resolve, reject) => {
    socket.once("error", reject);
    socket.bind({ address, port, exclusive: true }, () => resolve());
  });
  socket.removeAllListeners("error").on("error", () => {});
  const refuse = (client: RemoteInfo, code: number, message: string): void => {
    socket.send(errorPacket(code, message), client.port, client.address, () => {});
  };
  socket.on("message", (packet, client) => {
    const request = readRequest(packet);
    if (!request) return;
    if ("refusal" in request) return refuse(client, request.code, request.refusal);
    const key = `${client.address} ${client.port}`;
    const running = transfers.get(key);
    if (running && running.file === request.file && !running.transfer?.isUnderWay) return;
    running?.transfer?.end("the client began anew");
    if (!running && transfers.size >= MAX_TRANSFERS) {
      return refuse(client, ERROR.other, "too many transfers, try again");
    }
    const mine: Running = { file: request.file, transfer: undefined };
    transfers.set(key, mine);
    void serve(mine, request, client)
      .catch((error: unknown) => refuse(client, ERROR.other, (error as Error).message))
      .finally(() => transfers.get(key) === mine && transfers.delete(key));
  });

  async function serve(mine: Running, request: ReadRequest, client: RemoteInfo): Promise<void> {
    const name = `${printable(request.file)} to ${client.address}`;
    const source = await sourceOf(root, request);
    if (!source) {
      onLine(`${name}: there is no such file`);
      // The words of other servers: device types look for them among a bootloader's error messages.
      return refuse(client, ERROR.notFound, "File not found");
    }
    const { timeoutMs = 1000 } = options;
    const transfer = new Transfer({
      client,
      localAddress: address,
      request,
      source,
      timeoutMs,
      attempts: 12,
    });
    mine.transfer = transfer;
    const start = performance.now();
    const { bytes, resent, failure } = await transfer.run();
    const seconds = ((performance.now() - start) / 1000).toFixed(2);
    onLine(
      `${name}: ${bytes} bytes in ${seconds} s, ${resent} blocks resent${failure ? `: ${failure}` : ""}`,
    );
  }

  return {
    port: socket.address().port,
    get isBusy() {
      return transfers.size > 0;
    },
    close: async () => {
      for (const { transfer } of transfers.values()) transfer?.refuse(ERROR.other, "server ends");
      await new Promise<void>((resolve) => void socket.close(() => resolve()));
    },
  };
}

interface Running {
  readonly file: string;
  transfer: Transfer | undefined;
}

const MAX_TRANSFERS = 100;
/** Text files only: all of it is in memory, and there may be many at a time. */
const MAX_NETASCII_BYTES = 1024 * 1024;

/** The file that a name means, if it is in the served folder; names are hostile. */
async function sourceOf(root: string, request: ReadRequest): Promise<BlockSource | undefined> {
  const file = await resolve(root, request.file);
  if (file === undefined) return undefined;
  const source = await fileSource(file).catch(() => undefined);
  if (!source || request.mode === "octet") return source;
  await source.close();
  if (source.size > MAX_NETASCII_BYTES) throw new Error("too large for netascii: use octet");
  return memorySource(netascii(await readFile(file)));
}

async function resolve(root: string, name: string): Promise<string | undefined> {
  const [first, ...rest] = path.posix.normalize(`/${name}`).split("/").filter(Boolean);
  if (first === undefined) return undefined;
  try {
    const top = await realpath(path.join(root, first));
    if (rest.length === 0) return path.dirname(top) === root ? top : undefined;
    const file = await realpath(path.join(top, ...rest));
    return file.startsWith(top + path.sep) ? file : undefined;
  } catch {
    return undefined;
  }
}

/** Lines end with CR LF; a CR of the file itself becomes CR NUL (RFC 1350 1, RFC 764). */
function netascii(bytes: Buffer): Buffer {
  const out: number[] = [];
  for (const byte of bytes) {
    if (byte === 0x0a) out.push(0x0d);
    out.push(byte);
    if (byte === 0x0d) out.push(0);
  }
  return Buffer.from(out);
}

const printable = (name: string): string => name.slice(0, 200).replace(/[^\x20-\x7e]/g, "?");
