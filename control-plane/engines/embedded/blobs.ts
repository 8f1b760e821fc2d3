import { createHash, randomBytes } from "node:crypto";
import { createReadStream, mkdirSync, rmSync } from "node:fs";
import { mkdir, open, readFile, rename, rm, stat, type FileHandle } from "node:fs/promises";
import path from "node:path";
import { Readable } from "node:stream";
import type { Blobs } from "../../ports/blobs.ts";
import type { System } from "../../ports/system.ts";
import { signedGet, signedPut, verify, type Permit } from "./signed-url.ts";
import { isRow, openSmallBlobs } from "./small-blobs.ts";
import type { Store } from "./store.ts";

export interface EmbeddedBlobs extends Blobs {
  /** Deletes every blob whose key starts with `prefix`, which ends in `/`. */
  deletePrefix(prefix: string): Promise<void>;
  /** Answers a request to a signed URL: 200, 400 (not the bytes that were signed), 403, 404 or 405. */
  serve(request: Request): Promise<Response>;
}

/**
 * Small blobs of jobs as rows of the store, all others as files below `folder`; `incoming/` beside them holds what is not yet whole. Of a key that
 * is both the row counts.
 */
export function openBlobs(
  folder: string,
  secret: string,
  system: Pick<System, "now">,
  database: Store,
): EmbeddedBlobs {
  const small = openSmallBlobs(database);
  const root = path.join(folder, "blobs");
  const incoming = path.join(folder, "incoming");
  rmSync(incoming, { recursive: true, force: true });
  mkdirSync(incoming, { recursive: true });
  const fileOf = (key: string) => path.join(root, ...segments(key));

  async function store(key: string, write: (file: FileHandle) => Promise<void>): Promise<void> {
    const target = fileOf(key);
    const draft = path.join(incoming, randomBytes(8).toString("hex"));
    try {
      const file = await open(draft, "wx", 0o600);
      try {
        await write(file);
        await file.sync();
      } finally {
        await file.close();
      }
      await mkdir(path.dirname(target), { recursive: true });
      await rename(draft, target);
      await syncFolder(path.dirname(target));
      small.remove(key);
    } catch (error) {
      await rm(draft, { force: true });
      throw error;
    }
  }

  async function receiveInto(body: Body, permit: Permit & { method: "PUT" }) {
    const { key, sizeBytes } = permit;
    if (isRow(key, sizeBytes)) {
      const pieces: Uint8Array[] = [];
      const problem = await receive(body, permit, (piece) => void pieces.push(piece));
      if (problem === undefined) await small.putOnDisk(key, Buffer.concat(pieces));
      return problem;
    }
    let problem: string | undefined;
    await store(key, async (file) => {
      problem = await receive(body, permit, (piece) => file.writeFile(piece));
      if (problem !== undefined) throw new NotTheSignedBytes();
    }).catch((error: unknown) => {
      if (!(error instanceof NotTheSignedBytes)) throw error;
    });
    return problem;
  }

  return {
    async put(key, bytes) {
      segments(key);
      if (isRow(key, bytes.length)) small.put(key, bytes);
      else await store(key, (file) => file.writeFile(bytes));
    },
    async get(key) {
      const file = fileOf(key);
      return small.get(key) ?? (await unlessMissing(readFile(file)));
    },
    async sizeBytes(key) {
      const file = fileOf(key);
      return small.sizeBytes(key) ?? (await unlessMissing(stat(file)))?.size;
    },
    async deletePrefix(prefix) {
      small.removePrefix(prefix);
      await rm(fileOf(prefix.replace(/\/$/, "")), { recursive: true, force: true });
    },
    signPut: async (put) => {
      segments(put.key);
      return signedPut(secret, system.now(), put);
    },
    signGet: async (key, expiresInSeconds) => {
      segments(key);
      return signedGet(secret, system.now(), key, expiresInSeconds);
    },
    async remove(key) {
      const file = fileOf(key);
      small.remove(key);
      await rm(file, { force: true });
    },
    async serve(request) {
      if (request.method !== "GET" && request.method !== "PUT") {
        return new Response("only GET and PUT\n", { status: 405, headers: { allow: "GET, PUT" } });
      }
      const permit = verify(secret, system.now(), request.method, new URL(request.url));
      if (!permit) return new Response("the link is not valid (any more)\n", { status: 403 });
      if (permit.method === "GET") {
        const file = fileOf(permit.key);
        const bytes = small.get(permit.key);
        return bytes
          ? sendPart(bytes.length, bytes, request.headers)
          : sendFile(file, request.headers);
      }
      segments(permit.key);
      const problem = await receiveInto(request.body, permit);
      return problem ? new Response(`${problem}\n`, { status: 400 }) : new Response(null);
    },
  };
}

type Body = ReadableStream<Uint8Array> | null;

class NotTheSignedBytes extends Error {}

/** Segments of a valid key; throws for any other, so that no key leads out of the folder. */
function segments(key: string): string[] {
  const parts = key.split("/");
  if (key.length > 500 || !parts.every((part) => /^[A-Za-z0-9_=-][A-Za-z0-9._=-]*$/.test(part))) {
    throw new Error(`not a blob key: ${JSON.stringify(key.slice(0, 100))}`);
  }
  return parts;
}

/** Passes the body on while it is what was signed; says what is wrong when it isn't. */
async function receive(
  body: Body,
  { sizeBytes, sha256 }: Permit & { method: "PUT" },
  take: (piece: Uint8Array) => void | Promise<void>,
): Promise<string | undefined> {
  const hash = createHash("sha256");
  let size = 0;
  for await (const bytes of body ?? []) {
    size += bytes.length;
    if (size > sizeBytes) return `more than the ${sizeBytes} bytes that were announced`;
    hash.update(bytes);
    await take(bytes);
  }
  if (size !== sizeBytes) return `${size} bytes came, ${sizeBytes} were announced`;
  return hash.digest("hex") === sha256 ? undefined : `the bytes do not have SHA-256 ${sha256}`;
}

/** Up to this size a stream costs more than it saves; nearly all log chunks are smaller. */
const SMALL_BYTES = 256 * 1024;

async function sendFile(file: string, asked: Headers): Promise<Response> {
  const found = await unlessMissing(stat(file));
  if (!found?.isFile()) return new Response("no such file\n", { status: 404 });
  const body =
    found.size <= SMALL_BYTES
      ? await readFile(file)
      : (part: Part) => Readable.toWeb(createReadStream(file, part)) as ReadableStream<Uint8Array>;
  return sendPart(found.size, body, asked);
}

/** What `Range` asks for, of bytes or of what makes a stream of them. */
function sendPart(
  size: number,
  body: Uint8Array | ((part: Part) => ReadableStream<Uint8Array>),
  asked: Headers,
): Response {
  const part = partOf(asked.get("range") ?? "", size);
  const headers = {
    "content-type": "application/octet-stream",
    "x-content-type-options": "nosniff",
    "content-disposition": "attachment",
    "accept-ranges": "bytes",
  };
  if (part === "none") {
    const range = { ...headers, "content-range": `bytes */${size}` };
    return new Response("there is no such part\n", { status: 416, headers: range });
  }
  const { start, end } = part ?? { start: 0, end: size - 1 };
  const sent = typeof body === "function" ? body({ start, end }) : body.subarray(start, end + 1);
  return new Response(sent as BodyInit, {
    status: part ? 206 : 200,
    headers: {
      ...headers,
      "content-length": String(end + 1 - start),
      ...(part ? { "content-range": `bytes ${start}-${end}/${size}` } : {}),
    },
  });
}

interface Part {
  start: number;
  /** Inclusive. */
  end: number;
}

/** The one part that was asked for (RFC 9110 14.2); undefined for the whole file, `none` for what lies beyond it. */
function partOf(range: string, size: number): Part | "none" | undefined {
  const [, first = "", last = ""] = /^bytes=(\d*)-(\d*)$/.exec(range) ?? [];
  if (first === "" && last === "") return undefined;
  const start = first === "" ? Math.max(0, size - Number(last)) : Number(first);
  const end = first === "" || last === "" ? size - 1 : Math.min(Number(last), size - 1);
  if (start >= size || (first === "" && Number(last) === 0)) return "none";
  return end < start ? undefined : { start, end };
}

/** A rename is on the disk only when its folder is. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function unlessMissing<T>(promise: Promise<T>): Promise<T | undefined> {
  try {
    return await promise;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    throw error;
  }
}
