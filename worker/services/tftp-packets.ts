/** TFTP's packets (RFC 1350, 2347): read with suspicion, written exactly. */

export const OPCODE = { read: 1, write: 2, data: 3, ack: 4, error: 5, oack: 6 } as const;

/** Codes of RFC 1350 5 and RFC 2347. */
export const ERROR = {
  other: 0,
  notFound: 1,
  access: 2,
  illegal: 4,
  unknownTransfer: 5,
  options: 8,
} as const;

export interface ReadRequest {
  readonly file: string;
  readonly mode: "octet" | "netascii";
  /** By lower-case name, as the client wrote them. */
  readonly options: ReadonlyMap<string, string>;
}

/** A request that is refused, with the error to answer; undefined: no request at all, to be ignored. */
export type Request = ReadRequest | { readonly code: number; readonly refusal: string } | undefined;

/** Reads the first packet of a client. Never throws. */
export function readRequest(packet: Buffer): Request {
  if (packet.length < 4 || packet.length > 1024) return undefined;
  const opcode = packet.readUInt16BE(0);
  if (opcode === OPCODE.write) return { code: ERROR.access, refusal: "this server is read-only" };
  if (opcode !== OPCODE.read) return undefined;
  if (packet.at(-1) !== 0) return { code: ERROR.illegal, refusal: "the request is cut off" };
  const [file = "", mode = "", ...rest] = packet.toString("utf8", 2, packet.length - 1).split("\0");
  const word = mode.toLowerCase();
  if (file === "") return { code: ERROR.illegal, refusal: "the request names no file" };
  if (word !== "octet" && word !== "netascii") {
    return { code: ERROR.illegal, refusal: "unknown mode: expected octet or netascii" };
  }
  const options = new Map<string, string>();
  for (let at = 0; at + 1 < rest.length && options.size < 16; at += 2) {
    options.set((rest[at] ?? "").toLowerCase(), rest[at + 1] ?? "");
  }
  return { file, mode: word, options };
}

/** The number of an acknowledged block; -1 for a packet that ends the transfer, undefined for any other. */
export function readAnswer(packet: Buffer): number | undefined {
  if (packet.length < 4) return undefined;
  const opcode = packet.readUInt16BE(0);
  if (opcode === OPCODE.error) return -1;
  return opcode === OPCODE.ack ? packet.readUInt16BE(2) : undefined;
}

export function readPacket(file: string, options: Readonly<Record<string, string>>): Buffer {
  const words = [file, "octet", ...Object.entries(options).flat()];
  return Buffer.concat([Buffer.from([0, OPCODE.read]), Buffer.from(`${words.join("\0")}\0`)]);
}

export function ackPacket(block: number): Buffer {
  return Buffer.from([0, OPCODE.ack, (block >> 8) & 0xff, block & 0xff]);
}

export function oackPacket(options: Iterable<readonly [string, string | number]>): Buffer {
  const words = [...options].flat().map((word) => `${word}\0`);
  return Buffer.concat([Buffer.from([0, OPCODE.oack]), Buffer.from(words.join(""))]);
}

export function errorPacket(code: number, message: string): Buffer {
  return Buffer.concat([Buffer.from([0, OPCODE.error, 0, code]), Buffer.from(`${message}\0`)]);
}
