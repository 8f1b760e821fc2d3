import { createHash, randomBytes } from "node:crypto";
import {
  chmodSync,
  chownSync,
  copyFileSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
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

/** A folder, with its parents. */
export function folderStep(folder: string, mode: number, owner: Owner): Step {
  return {
    what: `${folder}, mode ${octal(mode)}`,
    isDone: () =>
      existsSync(folder) && (statSync(folder).mode & 0o777) === mode && isOf(folder, owner()),
    run() {
      mkdirSync(folder, { recursive: true, mode });
      chmodSync(folder, mode);
      give(folder, owner());
    },
  };
}

/** A file of this content, replaced at once. */
export function fileStep(file: string, content: string, mode: number): Step {
  return {
    what: file,
    isDone: () =>
      existsSync(file) &&
      readFileSync(file, "utf8") === content &&
      (statSync(file).mode & 0o777) === mode,
    run: () =>
      replace(file, (fresh) => {
        writeFileSync(fresh, content, { mode });
        chmodSync(fresh, mode);
      }),
  };
}

/** A copy of a program; what runs keeps the file that it was started from. */
export function programStep(from: string, to: string): Step {
  return {
    what: to,
    isDone: () => existsSync(to) && isSame(from, to) && (statSync(to).mode & 0o777) === 0o755,
    run: () =>
      replace(to, (fresh) => {
        copyFileSync(from, fresh);
        chmodSync(fresh, 0o755);
      }),
  };
}

/** Another name of the same file, or a copy where that can't be had. */
export function hardLinkStep(from: string, to: string): Step {
  return {
    what: to,
    isDone: () => existsSync(to) && isSame(from, to),
    run: () =>
      replace(to, (fresh) => {
        try {
          linkSync(from, fresh);
        } catch {
          copyFileSync(from, fresh);
          chmodSync(fresh, 0o755);
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

/** Gives a file to its owner, when that is ours to do. */
export function give(file: string, account: Account | undefined): void {
  if (account && process.getuid?.() === 0) chownSync(file, account.uid, account.gid);
}

/** Whether a file is its owner's already. */
export function isOf(file: string, account: Account | undefined): boolean {
  if (!account || process.getuid?.() !== 0) return true;
  const { uid, gid } = statSync(file);
  return uid === account.uid && gid === account.gid;
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

const digestOf = (file: string): string =>
  createHash("sha256").update(readFileSync(file)).digest("hex");

const octal = (mode: number): string => `0${mode.toString(8)}`;
