import {
  existsSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
} from "node:fs";
import path from "node:path";
import { writeFileAtomic } from "../host/atomic-file.ts";
import type { Layout } from "../install/layout.ts";

/*
 * The links and files by which the launcher knows which version to start (worker/install/layout.ts). Each step is a rename, in
 * such an order that a power cut between two of them is mended by the next start.
 */

/** Makes a version that is in its place the one that starts next, on trial. */
export function swapTo(layout: Layout, version: string): void {
  replaceLink(layout.previous, readlinkSync(layout.current));
  rmSync(layout.rolledBack, { force: true });
  writeFileAtomic(layout.trial, `${version}\n0\n`);
  replaceLink(layout.current, layout.fileOf(version));
}

/** Makes the version before the one that starts next, and leaves word why. */
export function goBack(layout: Layout, version: string, why: string): void {
  const previous = readlinkSync(layout.previous);
  writeFileAtomic(layout.rolledBack, `${version}\n${why.replaceAll(/\s+/g, " ")}\n`);
  replaceLink(layout.current, previous);
  rmSync(layout.trial, { force: true });
}

/** The version that is on trial, if one is. */
export const versionOnTrial = (layout: Layout): string | undefined => linesOf(layout.trial)?.[0];

/** The trial is over: the version stays. */
export const confirm = (layout: Layout): void => rmSync(layout.trial, { force: true });

/** What the launcher, or the version that was given up, left word of. */
export function readRolledBack(layout: Layout): { version: string; why: string } | undefined {
  const [version, why = ""] = linesOf(layout.rolledBack) ?? [];
  return version ? { version, why: why.slice(0, 1000) } : undefined;
}

export const forgetRolledBack = (layout: Layout): void =>
  rmSync(layout.rolledBack, { force: true });

/**
 * Removes versions that are neither current nor previous, nor in use by a process such as a job's runner, and what was left
 * half unpacked; gives their names.
 */
export function prune(layout: Layout): string[] {
  const folder = path.join(layout.dir, "versions");
  const current = versionOfLink(layout.current);
  // Unknown what is needed.
  if (current === undefined) return [];
  const kept = new Set([current, versionOfLink(layout.previous)]);
  const removed: string[] = [];
  for (const name of existsSync(folder) ? readdirSync(folder) : []) {
    if (kept.has(name)) continue;
    if (isInUse(path.join(folder, name))) continue;
    rmSync(path.join(folder, name), { recursive: true, force: true });
    removed.push(name);
  }
  return removed;
}

function versionOfLink(link: string): string | undefined {
  try {
    return path.basename(path.dirname(readlinkSync(link)));
  } catch {
    return undefined;
  }
}

/** Whether a process runs a file of this folder, itself or by an interpreter. */
function isInUse(folder: string): boolean {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .some((pid) => {
      const reads = [
        () => readlinkSync(`/proc/${pid}/exe`).startsWith(`${folder}/`),
        () => readFileSync(`/proc/${pid}/cmdline`, "latin1").includes(`${folder}/`),
      ];
      return reads.some((read) => {
        try {
          return read();
        } catch {
          return false;
        }
      });
    });
}

function replaceLink(link: string, target: string): void {
  const fresh = `${link}.new`;
  rmSync(fresh, { force: true });
  symlinkSync(target, fresh);
  renameSync(fresh, link);
}

function linesOf(file: string): string[] | undefined {
  try {
    return readFileSync(file, "utf8").split("\n");
  } catch {
    // Not there; or not for us, and no reason to take no jobs.
    return undefined;
  }
}
