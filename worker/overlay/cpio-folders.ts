import { spawn } from "node:child_process";
import { createReadStream } from "node:fs";
import { open } from "node:fs/promises";
import { createGunzip } from "node:zlib";
import { hostEnvironment } from "../host/spawn.ts";

/** First bytes of what the kernel takes for an initramfs, and the program that unpacks each. */
const MAGIC: readonly (readonly [string, string | undefined])[] = [
  ["303730373031", undefined], // newc, as it is
  ["303730373032", undefined], // newc with checksums
  ["1f8b", "gzip"],
  ["fd377a58", "xz"],
  ["28b52ffd", "zstd"],
  ["425a68", "bzip2"],
  ["02214c18", "lz4"],
  ["894c5a4f", "lzop"],
  ["5d0000", "xz"],
];

/** Whether the kernel would take a file, from byte `start` on, for an initramfs: an archive may then be appended. */
export async function isInitramfs(file: string, start = 0): Promise<boolean> {
  const kind = magicOf(await headOf(file, start));
  if (kind === undefined) return false;
  if (kind[1] !== "gzip") return true;
  // An old-style ramdisk is a compressed file system: only its content tells.
  const source = createReadStream(file, { start });
  const stream = source.pipe(createGunzip());
  source.on("error", (error) => stream.destroy(error));
  try {
    for await (const chunk of stream) {
      const inner = magicOf(chunk as Buffer);
      return inner !== undefined && inner[1] === undefined;
    }
  } catch {
    // Damaged: that is for the kernel to say.
  } finally {
    stream.destroy();
    source.destroy();
  }
  return true;
}

/**
 * Answers whether a folder exists in an initramfs, also when a symbolic link leads there. A folder that
 * exists must not be written again: the kernel would put a folder in place of the link. The initramfs begins at
 * byte `start` of the file.
 */
export async function cpioFolders(file: string, start = 0): Promise<(folder: string) => boolean> {
  const links = new Map<string, string | undefined>();
  try {
    let offset = start;
    while (magicOf(await headOf(file, offset))?.[1] === undefined) {
      const end = await readArchive(createReadStream(file, { start: offset }), links);
      if (end === undefined) break;
      offset = await nextArchive(file, offset + end);
    }
    const tool = magicOf(await headOf(file, offset))?.[1];
    if (tool) await readCompressed(file, offset, tool, links);
  } catch {
    // What can't be read is unknown: the usual folders then count as there.
  }
  const known = links.size > 0 ? links : new Map(USUAL.map((name) => [name, undefined]));
  return (folder) => exists(folder, known);
}

const USUAL =
  "bin boot dev etc home lib lib64 mnt opt proc root run sbin srv sys tmp usr var".split(" ");

function exists(folder: string, known: ReadonlyMap<string, string | undefined>): boolean {
  let parts = folder.split("/");
  let done: string[] = [];
  for (let hops = 0; parts.length > 0;) {
    const [part = "", ...rest] = parts;
    parts = rest;
    if (part === "" || part === ".") continue;
    if (part === "..") {
      done.pop();
      continue;
    }
    const here = [...done, part].join("/");
    if (!known.has(here)) return false;
    const target = known.get(here);
    if (target === undefined) {
      done.push(part);
      continue;
    }
    if (++hops > 40) return false;
    if (target.startsWith("/")) done = [];
    parts = [...target.split("/"), ...parts];
  }
  return true;
}

async function readCompressed(
  file: string,
  start: number,
  tool: string,
  links: Map<string, string | undefined>,
): Promise<void> {
  const child = spawn(tool, ["-dc"], { env: hostEnvironment(), stdio: ["pipe", "pipe", "ignore"] });
  const ended = new Promise<void>((resolve) => {
    child.on("error", () => resolve());
    child.on("close", () => resolve());
  });
  child.stdin.on("error", () => {});
  const source = createReadStream(file, { start });
  source.on("error", () => child.kill("SIGKILL"));
  source.pipe(child.stdin);
  try {
    await readArchive(child.stdout, links);
  } finally {
    // Neither ends the other: most often not all of it was read.
    source.destroy();
    child.kill("SIGKILL");
    await ended;
  }
}

/** Notes folders (undefined) and symbolic links (their target); the position after the trailer. */
async function readArchive(
  stream: AsyncIterable<Buffer>,
  links: Map<string, string | undefined>,
): Promise<number | undefined> {
  let buffer = Buffer.alloc(0);
  let position = 0;
  let skip = 0;
  for await (const chunk of stream) {
    const used = Math.min(skip, chunk.length);
    skip -= used;
    position += used;
    buffer = Buffer.concat([buffer, chunk.subarray(used)]);
    while (buffer.length >= 110) {
      if (!buffer.toString("latin1", 0, 5).startsWith("07070")) return undefined;
      const field = (n: number): number =>
        Number.parseInt(buffer.toString("latin1", 6 + n * 8, 14 + n * 8), 16);
      const [kind, size, nameSize] = [field(1) & 0o170000, field(6), field(11)];
      if (!(nameSize > 0 && nameSize <= 4096) || !(size >= 0)) return undefined;
      const dataAt = align(110 + nameSize);
      const isLink = kind === 0o120000 && size <= 4096;
      if (buffer.length < dataAt + (isLink ? size : 0)) break;
      const name = buffer.toString("utf8", 110, 110 + nameSize - 1).replace(/^(\.?\/)+/, "");
      if (name === "TRAILER!!!") return position + dataAt;
      if (kind === 0o040000) links.set(name, undefined);
      if (links.size > MAX_NAMES) return undefined;
      if (isLink) links.set(name, buffer.toString("utf8", dataAt, dataAt + size));
      const entry = dataAt + align(size);
      const here = Math.min(entry, buffer.length);
      skip = entry - here;
      buffer = buffer.subarray(here);
      position += here;
    }
  }
  return undefined;
}

/** Folders and links that are remembered: more than any root file system has, and a few dozen MiB. */
const MAX_NAMES = 200_000;

/** Past the zero bytes that pad an archive. */
async function nextArchive(file: string, from: number): Promise<number> {
  for await (const chunk of createReadStream(file, { start: from }) as AsyncIterable<Buffer>) {
    const at = chunk.findIndex((byte) => byte !== 0);
    if (at >= 0) return from + at;
    from += chunk.length;
  }
  return from;
}

const align = (size: number): number => Math.ceil(size / 4) * 4;

async function headOf(file: string, position: number): Promise<Buffer> {
  const handle = await open(file);
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(8), 0, 8, position);
    return buffer.subarray(0, bytesRead);
  } finally {
    await handle.close();
  }
}

const magicOf = (head: Buffer): readonly [string, string | undefined] | undefined =>
  MAGIC.find(([hex]) => head.toString("hex").startsWith(hex));
