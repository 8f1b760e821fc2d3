import { readdirSync, readlinkSync } from "node:fs";

/** More than any program of a lab at rest has open; it has some 30 files and pipes, and a socket for each that waits. */
const MOST_FILES = 80;
const MOST_SOCKETS = 60;

/** What a program of a lab at rest has open that it should not: too many files or sockets, or files that nobody can find any more. */
export function openFilesLeft(name: string, pid: number): string[] {
  const all = readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
    try {
      return [readlinkSync(`/proc/${pid}/fd/${fd}`)];
    } catch {
      // That by which we look.
      return [];
    }
  });
  const sockets = all.filter((to) => to.startsWith("socket:")).length;
  const deleted = all.filter((to) => to.endsWith(" (deleted)") && !to.startsWith("/memfd:"));
  const files = all.length - sockets;
  return [
    ...(sockets > MOST_SOCKETS ? [`${name} has ${sockets} sockets open`] : []),
    ...(files > MOST_FILES ? [`${name} has ${files} files open`] : []),
    ...deleted.map((to) => `${name} has a file open that was deleted: ${to}`),
  ];
}
