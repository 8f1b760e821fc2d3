import { readdir, rm } from "node:fs/promises";
import { runCommand } from "../host/spawn.ts";
import { JobFailure } from "../pipeline/job-failure.ts";

/**
 * Makes an ext2 image that holds what is in `sourceDir`, owned by root whoever we are. The file is
 * sparse: it takes the room of its content.
 *
 * @throws JobFailure Infrastructure, also when the content doesn't fit.
 */
export async function makeExt2(
  image: string,
  sourceDir: string,
  { uuid, sizeMb, signal }: { uuid: string; sizeMb: number; signal?: AbortSignal },
): Promise<void> {
  const options = signal ? { signal } : {};
  const entries = (await readdir(sourceDir, { recursive: true })).length;
  // Every inode costs room in the file and time to write it: as many as the tests may need.
  const inodes = `${entries * 2 + 2000}`;
  const features = ["-t", "ext2", "-O", "^resize_inode", "-m", "0", "-N", inodes, "-U", uuid];
  const content = ["-E", "root_owner=0:0", "-d", sourceDir];
  await rm(image, { force: true });
  const made = await runCommand(
    ["mke2fs", "-q", "-F", ...features, ...content, image, `${sizeMb}M`],
    options,
  );
  if (made.status !== 0) {
    throw new JobFailure(
      "Infrastructure",
      `mke2fs could not make the overlay's drive of ${sizeMb} MB (the device's guest size): ${made.output.trim()}`,
    );
  }
  if (process.getuid?.() === 0) return;
  // mke2fs copies owners; it gives out inodes one after another, the first to lost+found (11).
  const copied = Array.from({ length: entries + 1 }, (_, n) => n + 11);
  const input = copied.map((n) => `sif <${n}> uid 0\nsif <${n}> gid 0\n`).join("");
  await runCommand(["debugfs", "-w", image], { ...options, input });
}
