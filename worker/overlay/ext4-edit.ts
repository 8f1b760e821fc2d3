import { lstat, open, readdir, readlink } from "node:fs/promises";
import path from "node:path";
import { runCommand } from "../host/spawn.ts";
import { JobFailure } from "../pipeline/job-failure.ts";
import type { ImagePart } from "./partition-table.ts";

/** A folder of the worker and where its content goes, an absolute path in the image. */
export interface Tree {
  readonly folder: string;
  readonly at: string;
}

/**
 * Puts files into an ext2, ext3 or ext4 file system that is an image or a part of one, in place, by `debugfs`:
 * needs no root rights, no loop device and no copy. Everything new is root's and has the mode it has in the
 * tree; a folder that is there, by a symbolic link too, stays as it is; a file that is there is replaced.
 *
 * @throws JobFailure Job when it isn't such a file system, is too small, or can't take a name.
 */
export async function addToExt4(
  image: string,
  part: ImagePart,
  tree: Tree,
  signal: AbortSignal,
): Promise<void> {
  const target: Target = { image, part, signal };
  const fileSystem = await checkFileSystem(target);
  const entries = [...foldersTo(tree.at), ...(await entriesOf(tree.folder, tree.at))];
  const there = await lookUp(target, entries);
  checkRoom(
    target,
    fileSystem,
    entries.filter(({ to }) => there.get(to) === undefined),
  );
  const script = entries.flatMap((entry) => commandsFor(entry, there.get(entry.to)));
  const errors = await debugfs(target, ["-w"], script);
  const full = errors.find((line) => /allocate|No free space|No space/i.test(line));
  if (full !== undefined) throw isFull(target, fileSystem, full);
  if (errors.length > 0) {
    const said = errors.slice(0, 3).join("; ");
    throw new JobFailure("Job", `${nameOf(target)}: the overlay can't be written: ${said}`);
  }
}

interface Target {
  readonly image: string;
  readonly part: ImagePart;
  readonly signal: AbortSignal;
}

interface Entry {
  readonly kind: "folder" | "file" | "link";
  /** Absolute in the image. */
  readonly to: string;
  readonly mode: number;
  readonly bytes: number;
  /** Path of the file on the worker, or what a link points to. */
  readonly source: string;
}

const folder = (to: string, mode = 0o755): Entry => ({
  kind: "folder",
  to,
  mode,
  bytes: 0,
  source: "",
});

/** The folders down to `at` itself. */
function foldersTo(at: string): Entry[] {
  const parts = at.split("/").filter((part) => part !== "");
  return parts.map((_, n) => folder(`/${parts.slice(0, n + 1).join("/")}`));
}

async function entriesOf(source: string, at: string): Promise<Entry[]> {
  const found: Entry[] = [];
  const names = (await readdir(source)).sort();
  for (const name of names) {
    const from = path.join(source, name);
    const to = path.posix.join(at, name);
    const stat = await lstat(from);
    const mode = stat.mode & 0o7777;
    if (stat.isDirectory()) found.push(folder(to, mode), ...(await entriesOf(from, to)));
    else if (stat.isSymbolicLink()) {
      const target = await readlink(from);
      found.push({ kind: "link", to, mode, bytes: target.length, source: target });
    } else if (stat.isFile()) {
      found.push({ kind: "file", to, mode, bytes: stat.size, source: from });
    }
  }
  return found;
}

/** What debugfs is to do; `there`: the type of what stands at that name. */
function commandsFor(entry: Entry, there: string | undefined): string[] {
  const { kind, to, mode, source } = entry;
  const [parent, name] = [path.posix.dirname(to), path.posix.basename(to)];
  const root = (type: number): string[] => [
    `sif ${quote(to)} mode 0${(type | mode).toString(8)}`,
    `sif ${quote(to)} uid 0`,
    `sif ${quote(to)} gid 0`,
  ];
  // The dot lets the folder be a symbolic link to one; `write` takes a name only, no path.
  const here = `cd ${quote(parent === "/" ? "/" : `${parent}/.`)}`;
  if (kind === "folder") {
    return there === "directory" ? [] : [here, `mkdir ${quote(name)}`, ...root(0o040000)];
  }
  const removed = there === undefined ? [] : [`rm ${quote(to)}`];
  if (kind === "link") return [...removed, here, `symlink ${quote(name)} ${quote(source)}`];
  return [...removed, here, `write ${quote(source)} ${quote(name)}`, ...root(0o100000)];
}

/** What stands at each name: `directory`, `regular`, `symlink` ...; of folders, where symbolic links lead. */
async function lookUp(target: Target, entries: readonly Entry[]): Promise<Map<string, string>> {
  const questions = entries.map(({ kind, to }) =>
    kind === "folder" ? `stat ${quote(`${to}/.`)}` : `stat ${quote(to)}`,
  );
  const there = new Map<string, string>();
  let asked = -1;
  await debugfs(target, [], questions, (line) => {
    if (line.startsWith("debugfs: stat ")) asked += 1;
    const type = /^Inode: \d+\s+Type: (\w+)/.exec(line)?.[1];
    const entry = entries[asked];
    if (type !== undefined && entry) there.set(entry.to, type);
  });
  return there;
}

interface FileSystem {
  readonly blockBytes: number;
  readonly freeBlocks: number;
  readonly freeInodes: number;
}

async function checkFileSystem(target: Target): Promise<FileSystem> {
  const { image, part, signal } = target;
  const file = await open(image);
  const head = Buffer.alloc(66_048);
  await file.read(head, 0, head.length, part.offset).finally(() => file.close());
  if (head.readUInt16LE(1080) !== 0xef53) {
    const what = OTHERS.find(([at, magic]) => head.subarray(at, at + magic.length).equals(magic));
    throw new JobFailure(
      "Job",
      `${nameOf(target)}: expected an ext2, ext3 or ext4 file system, found ${what?.[2] ?? "none (an image with partitions needs the number of one)"}`,
    );
  }
  const needsRecovery = (head.readUInt32LE(1024 + 0x60) & 4) !== 0;
  if (needsRecovery) {
    // The journal of an image taken while it was mounted would be played over what is written now.
    const argv = ["e2fsck", "-p", withOffset(target)] as const;
    const { status, output } = await runCommand(argv, { signal, cwd: path.dirname(image) });
    if (status > 1) {
      throw new JobFailure("Job", `${nameOf(target)}: is damaged: ${output.trim().slice(-300)}`);
    }
  }
  const values = new Map<string, string>();
  await debugfs(target, [], ["show_super_stats -h"], (line) => {
    const [, key, value] = /^([A-Z][\w ]+):\s+(\S+)/.exec(line) ?? [];
    if (key !== undefined && value !== undefined) values.set(key, value);
  });
  const number = (key: string): number => Number(values.get(key) ?? Number.NaN);
  const fileSystem = {
    blockBytes: number("Block size"),
    freeBlocks: number("Free blocks"),
    freeInodes: number("Free inodes"),
  };
  if (Object.values(fileSystem).some(Number.isNaN)) {
    throw new JobFailure("Job", `${nameOf(target)}: its ext4 file system can't be read`);
  }
  return fileSystem;
}

const latin1 = (text: string): Buffer => Buffer.from(text, "latin1");
const OTHERS: readonly (readonly [number, Buffer, string])[] = [
  [0, latin1("\x3a\xff\x26\xed"), "an Android sparse image (set `sparse: true`)"],
  [0, latin1("QFI\xfb"), "a qcow2 image: convert it to raw"],
  [0, latin1("hsqs"), "squashfs, which can't be changed"],
  [0, latin1("XFSB"), "xfs"],
  [1024, latin1("\x10\x20\xf5\xf2"), "f2fs"],
  [1024, latin1("\xe2\xe1\xf5\xe0"), "erofs, which can't be changed"],
  [65_600, latin1("_BHRfS_M"), "btrfs"],
];

/** Before anything is written: half an overlay is worse than none. */
function checkRoom(target: Target, fileSystem: FileSystem, entries: readonly Entry[]): void {
  const { blockBytes, freeBlocks, freeInodes } = fileSystem;
  const blocks = entries.reduce(
    (sum, { kind, bytes }) => sum + (kind === "folder" ? 1 : Math.ceil(bytes / blockBytes)),
    0,
  );
  if (blocks <= freeBlocks && entries.length <= freeInodes) return;
  const needs = `${entries.length} files and folders of ${kib(blocks * blockBytes)}`;
  throw isFull(target, fileSystem, `the overlay needs ${needs}`);
}

const isFull = (target: Target, fileSystem: FileSystem, why: string): JobFailure => {
  const { blockBytes, freeBlocks, freeInodes } = fileSystem;
  const free = `${kib(freeBlocks * blockBytes)} and ${freeInodes} inodes were free`;
  const message = `${nameOf(target)}: the file system is too small: ${why}, ${free}; make it larger`;
  return new JobFailure("Job", message);
};

const kib = (bytes: number): string => `${Math.ceil(bytes / 1024)} KiB`;

const nameOf = ({ image, part }: Target): string =>
  part.offset === 0
    ? `image ${path.basename(image)}`
    : `image ${path.basename(image)}, partition at byte ${part.offset}`;

const withOffset = ({ image, part }: Target): string =>
  `./${path.basename(image)}?offset=${part.offset}`;

/** Runs commands of debugfs, which goes on after an error and always exits with 0; what it complained about. */
async function debugfs(
  target: Target,
  options: readonly string[],
  script: readonly string[],
  onLine: (line: string) => void = () => {},
): Promise<string[]> {
  if (script.length === 0) return [];
  const errors: string[] = [];
  const { status, output } = await runCommand(
    ["debugfs", ...options, "-f", "-", withOffset(target)],
    {
      cwd: path.dirname(target.image),
      input: `${script.join("\n")}\n`,
      signal: target.signal,
      onLine: (line) => {
        onLine(line);
        if (!/^(debugfs[: ]|Allocated inode: |$)/.test(line) && errors.length < 10) {
          errors.push(line.trim());
        }
      },
    },
  );
  if (status === 0) return errors;
  throw new JobFailure("Infrastructure", `debugfs failed: ${output.trim().slice(-300)}`);
}

/** As debugfs reads it; @throws JobFailure Job for a name that it can't take. */
function quote(name: string): string {
  if (/[\n\r\0]/.test(name) || Buffer.byteLength(name) > 4000) {
    throw new JobFailure("Job", `${JSON.stringify(name)}: this name can't be put into an image`);
  }
  return `"${name.replaceAll('"', '""')}"`;
}
