import { accessSync, constants, existsSync, readFileSync, statfsSync, statSync } from "node:fs";
import { userInfo } from "node:os";
import path from "node:path";
import { lockHolder } from "../host/work-dir-lock.ts";
import { note, ok, wrong, type Finding } from "./finding.ts";

const GIB = 1024 ** 3;
const MIB = 1024 ** 2;
/** A job with a root file system needs a few times its size for a while. */
const LOW_DISK_BYTES = 2 * GIB;
const NO_DISK_BYTES = 200 * MIB;
const LOW_INODES = 10_000;
/** An agent and a runner. */
const LOW_MEMORY_BYTES = 100 * MIB;

/** The worker's own machine: its agent, its folder and the disk below, its memory. */
export function machineFindings(workDir: string): Finding[] {
  return [agentFinding(workDir), ...folderFindings(workDir), memoryFinding()];
}

function agentFinding(workDir: string): Finding {
  const pid = lockHolder(workDir);
  return pid === undefined
    ? note(
        "agent",
        `none runs on ${workDir}: pumice-worker start, or systemctl start pumice-worker`,
      )
    : ok("agent", `process ${pid} runs on ${workDir}`);
}

function folderFindings(workDir: string): Finding[] {
  const what = "work folder";
  // What the agent would make itself is as good as there.
  let folder = workDir;
  while (!existsSync(folder) && path.dirname(folder) !== folder) folder = path.dirname(folder);
  try {
    accessSync(folder, constants.W_OK | constants.X_OK);
  } catch {
    const { username } = userInfo();
    const owner = folder === workDir ? ` (it is user ${statSync(folder).uid}'s)` : "";
    return [
      wrong(
        what,
        `user ${username} may not write to ${folder}${owner}: chown it, or run this as the worker's user`,
      ),
    ];
  }
  return [ok(what, workDir), ...diskFindings(folder)];
}

function diskFindings(folder: string): Finding[] {
  const { bavail, bsize, files, ffree } = statfsSync(folder);
  const bytes = bavail * bsize;
  const free = `${(bytes / GIB).toFixed(1)} GiB free in ${folder}`;
  const disk =
    bytes < NO_DISK_BYTES
      ? wrong("disk", `${free}: jobs will fail; make room, or choose another --work-dir`)
      : bytes < LOW_DISK_BYTES
        ? note("disk", `${free}: too little for jobs with large images`)
        : ok("disk", free);
  // Some file systems count none.
  if (files === 0 || ffree >= LOW_INODES) return [disk];
  return [
    disk,
    wrong("inodes", `${ffree} left in ${folder}: each job needs thousands; remove small files`),
  ];
}

function memoryFinding(): Finding {
  const text = readFileSync("/proc/meminfo", "utf8");
  const bytes = Number(/^MemAvailable:\s+(\d+) kB$/m.exec(text)?.[1] ?? NaN) * 1024;
  const free = `${Math.round(bytes / MIB)} MiB free`;
  return bytes < LOW_MEMORY_BYTES
    ? note("memory", `${free}: an agent and a job take about 100 MiB; see --max-rss`)
    : ok("memory", free);
}
