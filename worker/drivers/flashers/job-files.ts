import { mkdir, readdir, realpath } from "node:fs/promises";
import path from "node:path";
import type { RunContext } from "../../pipeline/action.ts";
import { JobFailure } from "../../pipeline/job-failure.ts";
import { imagesSlot } from "../../pipeline/job-slots.ts";

/** Paths of the deployed images by label, in the job's order. @throws JobFailure Job when there are none. */
export function imagePaths({ slots }: Pick<RunContext, "slots">): Record<string, string> {
  const images = [...(slots.find(imagesSlot) ?? [])].map(([label, { path: file }]) => [
    label,
    file,
  ]);
  if (images.length > 0) return Object.fromEntries(images) as Record<string, string>;
  throw new JobFailure("Job", "no image was deployed: a deploy action with images must come first");
}

/**
 * Words of a job that a tool of this machine reads may name its images, in braces, and no other file here: a
 * job could read or write what is the lab's.
 *
 * @throws JobFailure Job.
 */
export function checkNoPaths(text: string, what: string): string {
  if (!/[/\\]|(?:^|\s)~/.test(text)) return text;
  const expected = "files are named as {LABEL} of a deployed image, never by a path";
  throw new JobFailure("Job", `${what}: '${text}': ${expected}`);
}

/** A relative path of a job that stays below the folder it is relative to. @throws JobFailure Job. */
export function relativePath(text: string, what: string): string {
  const isInside =
    !path.isAbsolute(text) && !text.split("/").includes("..") && !text.startsWith("-");
  if (isInside && text !== "") return path.normalize(text);
  throw new JobFailure("Job", `${what}: '${text}': expected a relative path without ..`);
}

/** A folder of the job for an action's own files. */
export async function actionFolder(
  { job, level }: Pick<RunContext, "job" | "level">,
  name: string,
): Promise<string> {
  const folder = path.join(job.scratch, `${name}-${level}`);
  await mkdir(folder, { recursive: true });
  return folder;
}

/**
 * Makes sure that no symbolic link of an unpacked archive leads out of its folder, to a file that is the lab's.
 *
 * @throws JobFailure Job, naming the link.
 */
export async function checkLinks(folder: string): Promise<void> {
  const root = await realpath(folder);
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  for (const entry of entries.filter((one) => one.isSymbolicLink())) {
    const link = path.join(entry.parentPath, entry.name);
    const target = await realpath(link).catch(() => undefined);
    if (target?.startsWith(`${root}${path.sep}`)) continue;
    const name = path.relative(folder, link);
    throw new JobFailure(
      "Job",
      `the archive's link ${name} does not lead to a file of the archive`,
    );
  }
}
