import type { Dirent } from "node:fs";
import { copyFile, lstat, mkdir, readdir, readlink, rm, symlink } from "node:fs/promises";
import path from "node:path";
import { JobFailure } from "../pipeline/job-failure.ts";

/**
 * The folder of the worker that a path means for a system whose root is `root`: its symbolic links, which are
 * somebody else's, lead from there and never out of it. What is missing is made.
 *
 * @throws JobFailure Job when something on the way is no folder, or links go in circles.
 */
export async function folderInRoot(root: string, where: string): Promise<string> {
  let parts = where.split("/");
  let done: string[] = [];
  for (let hops = 0; parts.length > 0;) {
    const [part = "", ...rest] = parts;
    parts = rest;
    if (part === "" || part === ".") continue;
    if (part === "..") {
      done = done.slice(0, -1);
      continue;
    }
    const here = path.join(root, ...done, part);
    const info = await lstat(here).catch(() => undefined);
    if (info?.isSymbolicLink()) {
      if (++hops > 40) throw notFolder(where, part);
      const target = await readlink(here);
      if (target.startsWith("/")) done = [];
      parts = [...target.split("/"), ...parts];
      continue;
    }
    if (!info) await mkdir(here, { mode: 0o755 });
    else if (!info.isDirectory()) throw notFolder(where, part);
    done.push(part);
  }
  return path.join(root, ...done);
}

const notFolder = (where: string, part: string): JobFailure =>
  new JobFailure("Job", `${where} in the root file system: ${part} is no folder`);

/** Copies all that is below `source` into the root file system of a DUT; what stands there already is replaced. */
export async function copyIntoRoot(source: string, root: string, where = ""): Promise<void> {
  const target = await folderInRoot(root, where);
  const entries: Dirent[] = await readdir(source, { withFileTypes: true });
  for (const entry of entries) {
    const from = path.join(source, entry.name);
    const to = path.join(target, entry.name);
    if (entry.isDirectory()) {
      await copyIntoRoot(from, root, path.posix.join(where, entry.name));
    } else if (entry.isSymbolicLink()) {
      await rm(to, { recursive: true, force: true });
      await symlink(await readlink(from), to);
    } else if (entry.isFile()) {
      await rm(to, { recursive: true, force: true });
      await copyFile(from, to);
    }
  }
}
