import { createReadStream, type Dirent } from "node:fs";
import { lstat, readdir, readlink, type FileHandle } from "node:fs/promises";
import path from "node:path";

/**
 * Appends an archive in format newc (the one the kernel unpacks as initramfs) with everything below
 * `sourceDir` to `file`, at `prefix` (relative; `""` for the root itself, which gets no entry).
 *
 * Owner is root and the time is 0 whatever the worker's user, so equal trees make equal archives. The
 * kernel skips zero bytes between archives but wants a header at a multiple of 4: padding goes first, at least
 * four bytes of it, as those are the only end that its format of lz4 has (kernels of before July 2021 don't know it).
 * `skip` says which folders not to write, by archive path: an entry for a folder that exists already
 * would replace a symbolic link of that name.
 */
export async function appendCpio(
  file: FileHandle,
  sourceDir: string,
  prefix: string,
  skip: (folder: string) => boolean = () => false,
): Promise<void> {
  const { size } = await file.stat();
  const out = new Writer(file, size);
  if (size > 0) await out.write(Buffer.alloc(4));
  await out.pad();
  if (prefix !== "") {
    for (const folder of parentsAndSelf(prefix)) {
      if (!skip(folder)) await out.header(folder, { mode: folderMode(folder) });
    }
  }
  await addTree(out, sourceDir, prefix, skip);
  await out.header("TRAILER!!!", { mode: 0 });
  await out.flush();
}

async function addTree(
  out: Writer,
  dir: string,
  prefix: string,
  skip: (folder: string) => boolean,
): Promise<void> {
  const entries: Dirent[] = await readdir(dir, { withFileTypes: true });
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const source = path.join(dir, entry.name);
    const name = prefix === "" ? entry.name : `${prefix}/${entry.name}`;
    const { mode, size } = await lstat(source);
    if (entry.isDirectory()) {
      if (!skip(name)) await out.header(name, { mode });
      await addTree(out, source, name, skip);
    } else if (entry.isSymbolicLink()) {
      const target = Buffer.from(await readlink(source));
      await out.header(name, { mode, size: target.length });
      await out.data([target], target.length);
    } else if (entry.isFile()) {
      await out.header(name, { mode, size });
      if (size > 0) await out.data(createReadStream(source, { end: size - 1 }), size);
    }
  }
}

/** Collects small pieces, so that a tree of scripts doesn't cost a system call per header. */
class Writer {
  readonly #file: FileHandle;
  #offset: number;
  #pending: Buffer[] = [];
  #pendingBytes = 0;
  #inode = 0;

  constructor(file: FileHandle, offset: number) {
    this.#file = file;
    this.#offset = offset;
  }

  async header(name: string, { mode, size = 0 }: { mode: number; size?: number }): Promise<void> {
    const bytes = Buffer.from(`${name}\0`);
    if (size > 0xffff_ffff) throw new Error(`${name}: a cpio archive can't hold a file over 4 GiB`);
    const fields = [++this.#inode, mode, 0, 0, 1, 0, size, 0, 0, 0, 0, bytes.length, 0];
    const hex = fields.map((field) => field.toString(16).padStart(8, "0")).join("");
    await this.write(Buffer.concat([Buffer.from(`070701${hex}`), bytes]));
    await this.pad();
  }

  /** @throws if there are fewer bytes than the header promised (the file shrank meanwhile). */
  async data(chunks: AsyncIterable<Buffer> | Iterable<Buffer>, size: number): Promise<void> {
    let seen = 0;
    for await (const chunk of chunks) {
      seen += chunk.length;
      await this.write(chunk);
    }
    if (seen !== size) throw new Error(`a file changed while it was archived`);
    await this.pad();
  }

  async pad(): Promise<void> {
    const rest = (4 - (this.#offset % 4)) % 4;
    if (rest > 0) await this.write(Buffer.alloc(rest));
  }

  async write(bytes: Buffer): Promise<void> {
    this.#pending.push(bytes);
    this.#pendingBytes += bytes.length;
    this.#offset += bytes.length;
    if (this.#pendingBytes >= 256 * 1024) await this.flush();
  }

  async flush(): Promise<void> {
    const bytes = Buffer.concat(this.#pending);
    const at = this.#offset - bytes.length;
    this.#pending = [];
    this.#pendingBytes = 0;
    for (let written = 0; written < bytes.length;) {
      const { bytesWritten } = await this.#file.write(
        bytes,
        written,
        bytes.length - written,
        at + written,
      );
      written += bytesWritten;
    }
  }
}

function parentsAndSelf(folder: string): string[] {
  const parts = folder.split("/");
  return parts.map((_, n) => parts.slice(0, n + 1).join("/"));
}

const S_IFDIR = 0o040000;
const folderMode = (folder: string): number => S_IFDIR | (folder === "tmp" ? 0o1777 : 0o755);
