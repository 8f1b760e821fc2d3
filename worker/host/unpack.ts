import { spawn } from "node:child_process";
import { createReadStream, createWriteStream } from "node:fs";
import { open } from "node:fs/promises";
import type { Readable, Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGunzip, createInflateRaw } from "node:zlib";
import { JobFailure } from "../pipeline/job-failure.ts";
import { hostEnvironment } from "./spawn.ts";

/** Stream compressions that a job may name; zip, a container, goes through `unpackZip`. */
export type Compression = "gz" | "bz2" | "xz" | "zstd";

const TOOLS = {
  bz2: ["bzip2", "-dc"],
  xz: ["xz", "-dc"],
  zstd: ["zstd", "-dcq"],
} as const;

/** The program of the host that undoes a compression; undefined when none is needed. */
export const unpackTool = (compression: string | undefined): string | undefined =>
  compression !== undefined && Object.hasOwn(TOOLS, compression)
    ? TOOLS[compression as keyof typeof TOOLS][0]
    : undefined;

/**
 * Writes to `target` what is written to `input`, decompressed. `done` ends when the file is whole or
 * broken; it has to be awaited, also after a failed write to `input`.
 *
 * `done` throws JobFailure Job when the bytes aren't of that compression, Infrastructure when the tool
 * for it is missing; else the file's error.
 */
export function unpackTo(
  target: string,
  compression: Compression | undefined,
  signal?: AbortSignal,
): { input: Writable; done: Promise<void> } {
  const file = createWriteStream(target);
  if (compression === undefined) {
    const done = new Promise<void>((resolve, reject) => {
      file.on("error", reject);
      file.on("close", resolve);
    });
    return { input: file, done };
  }
  if (compression === "gz") {
    const input = createGunzip();
    return { input, done: unzipped(input, file, compression) };
  }
  return throughTool(compression, file, signal);
}

function throughTool(
  compression: keyof typeof TOOLS,
  file: Writable,
  signal: AbortSignal | undefined,
): { input: Writable; done: Promise<void> } {
  const [tool, option] = TOOLS[compression];
  const child = spawn(tool, [option], {
    env: hostEnvironment(),
    stdio: ["pipe", "pipe", "pipe"],
    ...(signal ? { signal, killSignal: "SIGKILL" } : {}),
  });
  let said = "";
  child.stderr.on("data", (data: Buffer) => (said = `${said}${data.toString()}`.slice(-500)));
  const ended = new Promise<void>((resolve, reject) => {
    child.on("error", (cause: NodeJS.ErrnoException) =>
      reject(
        cause.code === "ENOENT"
          ? new JobFailure("Infrastructure", `Cannot find command '${tool}' in $PATH`, { cause })
          : cause,
      ),
    );
    child.on("close", (code) =>
      code === 0 ? resolve() : reject(wrongCompression(compression, said.trim())),
    );
  });
  let failed: Error | undefined;
  file.on("error", (error: NodeJS.ErrnoException) => {
    if (error.syscall === "write" || error.syscall === "open") failed = error;
  });
  const done = Promise.allSettled([ended, pipeline(child.stdout, file)]).then((both) => {
    // A tool whose output nobody takes ends badly, too: a full disk says nothing of the job's bytes.
    if (failed) throw failed;
    for (const one of both) if (one.status === "rejected") throw one.reason;
  });
  return { input: child.stdin, done };
}

async function unzipped(from: Readable, file: Writable, compression: string): Promise<void> {
  try {
    await pipeline(from, file);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? "";
    if (/^Z_|^ERR_TRAILING/.test(code)) throw wrongCompression(compression, String(error), error);
    throw error;
  }
}

const wrongCompression = (compression: string, said: string, cause?: unknown): JobFailure =>
  new JobFailure("Job", `the file can't be decompressed as ${compression}: ${said}`, { cause });

/**
 * Unpacks the only member of a zip archive to `target`.
 *
 * @throws JobFailure Job when it isn't a zip archive, has not exactly one file, or one that is encrypted.
 */
export async function unpackZip(archive: string, target: string): Promise<void> {
  const members = (await zipMembers(archive)).filter(({ name }) => !name.endsWith("/"));
  const [member] = members;
  if (!member || members.length > 1) {
    const names = members.slice(0, 20).map(({ name }) => `'${name}'`);
    throw new JobFailure(
      "Job",
      `compression zip: expected an archive with one file, found ${members.length}: ${names.join(", ")}`,
    );
  }
  const header = await readAt(archive, member.offset, 30);
  const start = member.offset + 30 + header.readUInt16LE(26) + header.readUInt16LE(28);
  const packed = member.bytes === 0 ? 0 : member.bytes - 1;
  const stream = createReadStream(archive, { start, end: start + packed });
  const out = createWriteStream(target);
  if (member.method === 0) return pipeline(stream, out);
  if (member.method !== 8) {
    throw notZip(`'${member.name}' is compressed by method ${member.method}, which is unknown`);
  }
  const inflate = createInflateRaw();
  // What follows the member is not its data, and what the archive says of its length may be wrong.
  await Promise.all([
    pipeline(stream, inflate).catch((error: unknown) => {
      inflate.destroy(error as Error);
    }),
    unzipped(inflate, out, "zip"),
  ]);
}

interface ZipMember {
  readonly name: string;
  readonly method: number;
  readonly bytes: number;
  readonly offset: number;
}

/** Of the central directory; the archive is hostile, so every number is checked by use. */
async function zipMembers(archive: string): Promise<ZipMember[]> {
  const file = await open(archive);
  const { size } = await file.stat().finally(() => file.close());
  const tail = await readAt(archive, Math.max(0, size - 65_557), Math.min(size, 65_557));
  const end = tail.lastIndexOf(Buffer.from("PK\x05\x06", "latin1"));
  if (end < 0 || end + 22 > tail.length) throw notZip("it has no directory at its end");
  const count = tail.readUInt16LE(end + 10);
  const bytes = tail.readUInt32LE(end + 12);
  const start = tail.readUInt32LE(end + 16);
  if (start === 0xffff_ffff || count === 0xffff) throw notZip("zip64 isn't supported");
  if (start + bytes > size) throw notZip("its directory lies outside of it");
  const directory = await readAt(archive, start, Math.min(bytes, 16 * 1024 * 1024));
  const members: ZipMember[] = [];
  for (let at = 0; at + 46 <= directory.length && members.length < count;) {
    if (directory.readUInt32LE(at) !== 0x0201_4b50) throw notZip("its directory is damaged");
    const nameBytes = directory.readUInt16LE(at + 28);
    const name = directory.toString("utf8", at + 46, at + 46 + nameBytes);
    if (directory.readUInt16LE(at + 8) & 1) throw notZip(`'${name}' is encrypted`);
    members.push({
      name,
      method: directory.readUInt16LE(at + 10),
      bytes: directory.readUInt32LE(at + 20),
      offset: directory.readUInt32LE(at + 42),
    });
    at += 46 + nameBytes + directory.readUInt16LE(at + 30) + directory.readUInt16LE(at + 32);
  }
  return members;
}

async function readAt(file: string, position: number, length: number): Promise<Buffer> {
  const handle = await open(file);
  try {
    const buffer = Buffer.alloc(length);
    const { bytesRead } = await handle.read(buffer, 0, length, position);
    if (bytesRead < length) throw notZip("it ends too early");
    return buffer;
  } finally {
    await handle.close();
  }
}

const notZip = (reason: string): JobFailure =>
  new JobFailure("Job", `the file can't be unpacked as zip: ${reason}`);
