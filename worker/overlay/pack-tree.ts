import {
  createReadStream,
  createWriteStream,
  lstatSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  type Stats,
} from "node:fs";
import path from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGzip } from "node:zlib";

const BLOCK = 512;
/** Larger files are not held in memory. */
const SMALL_BYTES = 64 * 1024;
/** Octal digits of a size in a header. */
const MAX_BYTES = 8 ** 11 - 1;

/**
 * Writes all below `root` into `archive`, a tar archive with gzip as GNU's and busybox's tar read it, owned by root.
 * Members have no leading slash: they are unpacked at `/`. What is neither file, folder nor symbolic link is left out.
 */
export async function packTree(root: string, archive: string, signal: AbortSignal): Promise<void> {
  await pipeline(
    Readable.from(together(members(root, ""))),
    createGzip(),
    createWriteStream(archive),
    {
      signal,
    },
  );
}

/** Synchronous for what is small, as a tree of scripts is: many small waits take longer than the work. */
async function* members(root: string, folder: string): AsyncGenerator<Buffer> {
  for (const name of readdirSync(path.join(root, folder)).sort()) {
    const member = folder === "" ? name : `${folder}/${name}`;
    const file = path.join(root, member);
    const stats = lstatSync(file);
    if (stats.isDirectory()) {
      yield header(`${member}/`, stats, "5");
      yield* members(root, member);
    } else if (stats.isSymbolicLink()) {
      yield header(member, stats, "2", { target: readlinkSync(file) });
    } else if (stats.isFile()) {
      yield header(member, stats, "0", { size: stats.size });
      yield* content(file, stats.size);
      yield Buffer.alloc(-stats.size & (BLOCK - 1));
    }
  }
  if (folder === "") yield Buffer.alloc(2 * BLOCK);
}

/** @throws when there is not as much as the header has promised: the file changed meanwhile. */
async function* content(file: string, size: number): AsyncGenerator<Buffer> {
  let seen = 0;
  const pieces =
    size <= SMALL_BYTES ? [readFileSync(file)] : createReadStream(file, { end: size - 1 });
  for await (const piece of pieces as AsyncIterable<Buffer>) {
    seen += piece.length;
    yield piece;
  }
  if (seen !== size) throw new Error(`${file} changed while it was archived`);
}

/** Small pieces go on together: each on its own is a turn of the stream. */
async function* together(pieces: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let some: Buffer[] = [];
  let bytes = 0;
  for await (const piece of pieces) {
    some.push(piece);
    bytes += piece.length;
    if (bytes < SMALL_BYTES) continue;
    yield Buffer.concat(some);
    some = [];
    bytes = 0;
  }
  yield Buffer.concat(some);
}

type Kind = "0" | "2" | "5" | "L" | "K";

/** A member's header; a name that is too long for it is a member of its own before it, as GNU's tar has it. */
function header(
  name: string,
  { mode, mtimeMs }: Pick<Stats, "mode" | "mtimeMs">,
  kind: Kind,
  { size = 0, target = "" } = {},
): Buffer {
  if (size > MAX_BYTES) throw new Error(`${name}: an overlay can't hold a file of 8 GiB`);
  const long = [longText(name, "L"), longText(target, "K")];
  const block = Buffer.alloc(BLOCK);
  const put = (text: string, at: number, length: number): void =>
    void Buffer.from(text).copy(block, at, 0, length);
  const octal = (value: number, at: number, length: number): void =>
    put(value.toString(8).padStart(length - 1, "0"), at, length - 1);
  put(name, 0, NAME_BYTES);
  octal(mode & 0o7777, 100, 8);
  octal(0, 108, 8);
  octal(0, 116, 8);
  octal(size, 124, 12);
  octal(Math.max(0, Math.trunc(mtimeMs / 1000)), 136, 12);
  put(kind, 156, 1);
  put(target, 157, NAME_BYTES);
  put("ustar  ", 257, 8);
  put("root", 265, 32);
  put("root", 297, 32);
  // The sum counts its own field as spaces.
  block.fill(" ", 148, 156);
  const sum = block.reduce((all, byte) => all + byte, 0);
  put(`${sum.toString(8).padStart(6, "0")}\0 `, 148, 8);
  return Buffer.concat([...long, block]);
}

const NAME_BYTES = 100;

function longText(text: string, kind: "L" | "K"): Buffer {
  const bytes = Buffer.from(`${text}\0`);
  if (bytes.length <= NAME_BYTES) return Buffer.alloc(0);
  const named = header("././@LongLink", { mode: 0o644, mtimeMs: 0 }, kind, { size: bytes.length });
  return Buffer.concat([named, bytes, Buffer.alloc(-bytes.length & (BLOCK - 1))]);
}
