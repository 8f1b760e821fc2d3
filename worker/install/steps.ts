import { createHash, randomBytes } from "node:crypto";
import {
  closeSync,
  constants,
  existsSync,
  fchmodSync,
  fchownSync,
  fsyncSync,
  lchownSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  readlinkSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import type { Account } from "./accounts.ts";

/** One thing that an installation is made of. */
export interface Step {
  /** For people: `/etc/pumice-worker, mode 0700`. */
  readonly what: string;
  readonly isDone: () => boolean;
  readonly run: () => void;
}

/** Whose a file is to be, known when the step runs; undefined: whoever makes it. */
export type Owner = () => Account | undefined;

/*
 * Some of these run as root in folders that are the worker's, who may put a link wherever a file was. So nothing is done to
 * a path that was only looked at before: modes and owners are set by an open file, fresh files are made under names that
 * are nobody's, links are never followed.
 */

/** A folder, with its parents. Throws when there is a link in its place. */
export function folderStep(folder: string, mode: number, owner: Owner): Step {
  return {
    what: `${folder}, mode ${octal(mode)}`,
    isDone: () =>
      lstatSync(folder, { throwIfNoEntry: false })?.isDirectory() === true &&
      (lstatSync(folder).mode & 0o777) === mode &&
      isOf(folder, owner()),
    run() {
      mkdirSync(path.dirname(folder), { recursive: true });
      if (!existsSync(folder)) mkdirSync(folder, mode);
      const fd = openSync(
        folder,
        constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW,
      );
      try {
        fchmodSync(fd, mode);
        const account = owner();
        if (account && process.getuid?.() === 0) fchownSync(fd, account.uid, account.gid);
      } finally {
        closeSync(fd);
      }
    },
  };
}

/** A file of this content, replaced at once. */
export function fileStep(file: string, content: string, mode: number): Step {
  return {
    what: file,
    isDone: () => isPlain(file, mode) && readFileSync(file, "utf8") === content,
    run: () => replace(file, (fresh) => writeFresh(fresh, [Buffer.from(content)], mode)),
  };
}

/** A copy of a program; what runs keeps the file that it was started from. */
export function programStep(from: string, to: string): Step {
  return {
    what: to,
    isDone: () => isPlain(to, 0o755) && isSame(from, to),
    run: () => replace(to, (fresh) => writeFresh(fresh, chunksOf(from), 0o755)),
  };
}

/** Another name of the same file, or a copy where that can't be had. */
export function hardLinkStep(from: string, to: string): Step {
  return {
    what: to,
    isDone: () => isPlain(to, 0o755) && existsSync(from) && isSame(from, to),
    run: () =>
      replace(to, (fresh) => {
        try {
          linkSync(from, fresh);
        } catch {
          writeFresh(fresh, chunksOf(from), 0o755);
        }
      }),
  };
}

/** A symbolic link. */
export function linkStep(link: string, target: string): Step {
  return {
    what: `${link} -> ${target}`,
    isDone: () => targetOf(link) === target,
    run: () => replace(link, (fresh) => symlinkSync(target, fresh)),
  };
}

/** Takes files and folders away. */
export function removeStep(file: string): Step {
  return {
    what: file,
    isDone: () => lstatSync(file, { throwIfNoEntry: false }) === undefined,
    run: () => rmSync(file, { recursive: true, force: true }),
  };
}

/** Where a symbolic link leads; undefined when there is none. */
export const targetOf = (link: string): string | undefined =>
  lstatSync(link, { throwIfNoEntry: false })?.isSymbolicLink() ? readlinkSync(link) : undefined;

/** Gives a file to its owner, when that is ours to do; of a link the link itself. */
export function give(file: string, account: Account | undefined): void {
  if (account && process.getuid?.() === 0) lchownSync(file, account.uid, account.gid);
}

/** Whether a file is its owner's already. */
export function isOf(file: string, account: Account | undefined): boolean {
  if (!account || process.getuid?.() !== 0) return true;
  const { uid, gid } = lstatSync(file);
  return uid === account.uid && gid === account.gid;
}

/** Whether it is a file of whoever installs, which nobody else can change. */
function isPlain(file: string, mode: number): boolean {
  const found = lstatSync(file, { throwIfNoEntry: false });
  const isOwn = found?.uid === process.getuid?.();
  return found?.isFile() === true && isOwn && (found.mode & 0o777) === mode;
}

function writeFresh(fresh: string, content: Iterable<Uint8Array>, mode: number): void {
  const fd = openSync(fresh, "wx", mode);
  try {
    // The mask of whoever runs this may have taken something away.
    fchmodSync(fd, mode);
    for (const chunk of content) writeFileSync(fd, chunk);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

function replace(file: string, make: (fresh: string) => void): void {
  mkdirSync(path.dirname(file), { recursive: true });
  const fresh = `${file}.${randomBytes(4).toString("hex")}`;
  try {
    make(fresh);
    renameSync(fresh, file);
  } finally {
    // A rename of two names of one file does nothing, and leaves both.
    rmSync(fresh, { force: true });
  }
}

function isSame(one: string, other: string): boolean {
  const [a, b] = [statSync(one), statSync(other)];
  if (a.ino === b.ino && a.dev === b.dev) return true;
  return a.size === b.size && digestOf(one) === digestOf(other);
}

function digestOf(file: string): string {
  const digest = createHash("sha256");
  for (const chunk of chunksOf(file)) digest.update(chunk);
  return digest.digest("hex");
}

/** A program has a hundred megabytes, a board has not many of them. */
function* chunksOf(file: string): Generator<Uint8Array> {
  const buffer = Buffer.alloc(1024 * 1024);
  const fd = openSync(file, "r");
  try {
    for (let size = 1; size > 0;) {
      size = readSync(fd, buffer);
      yield buffer.subarray(0, size);
    }
  } finally {
    closeSync(fd);
  }
}

const octal = (mode: number): string => `0${mode.toString(8)}`;
