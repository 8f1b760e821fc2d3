import { execFileSync } from "node:child_process";
import { closeSync, ftruncateSync, openSync, readFileSync, writeSync } from "node:fs";

const SECTOR = 512;

/** Makes a disk image with a GPT and these file systems, each in a partition of its own, 1 MiB between them. */
export function makePartitionedDisk(disk: string, fileSystems: readonly string[]): void {
  const contents = fileSystems.map((file) => readFileSync(file));
  let at = 2048;
  const parts = contents.map((content) => {
    const start = at;
    const sectors = Math.ceil(content.length / SECTOR);
    at += Math.ceil(sectors / 2048) * 2048 + 2048;
    return { start, sectors, content };
  });
  const file = openSync(disk, "w");
  ftruncateSync(file, (at + 2048) * SECTOR);
  for (const { start, content } of parts)
    writeSync(file, content, 0, content.length, start * SECTOR);
  closeSync(file);
  const lines = parts.map(({ start, sectors }) => `start=${start},size=${sectors},type=L`);
  execFileSync("/usr/sbin/sfdisk", ["--quiet", "--wipe", "never", disk], {
    input: ["label: gpt", ...lines, ""].join("\n"),
    stdio: ["pipe", "ignore", "pipe"],
  });
}
