import { realpathSync, statSync } from "node:fs";
import path from "node:path";
import { JobFailure } from "../pipeline/job-failure.ts";

/**
 * Refuses a file of the worker that is none of the job's business, although the job names it and the worker's user may read it:
 * what only that user may read (the worker's token, ssh keys; of root's what is not for all), the folders of other jobs, /proc. Who runs a job by hand
 * (`pumice-worker run`) may use what is theirs. A file that is not there passes.
 *
 * @throws JobFailure Job.
 */
export function requireOpenFile(
  file: string,
  jobFolder: string | undefined = process.env["PUMICE_JOB_DIR"],
): void {
  if (jobFolder === undefined) return;
  const real = realOf(file);
  const own = realOf(jobFolder);
  if (real === undefined || own === undefined || isIn(own, real)) return;
  if (isIn(path.dirname(own), real) || isIn("/proc", real)) {
    throw refused(file, "it is not this job's");
  }
  const { mode } = statSync(real);
  // Root reads what is some group's, too (/etc/shadow): that says nothing of who else may.
  const forOthers = process.getuid?.() === 0 ? 0o004 : 0o044;
  // Of a folder everybody's files count, not who may list it.
  if ((mode & 0o170_000) === 0o100_000 && (mode & forOthers) === 0) {
    throw refused(file, "not everybody may read it (chmod o+r, if it is for jobs)");
  }
}

function realOf(file: string): string | undefined {
  try {
    return realpathSync(file);
  } catch {
    return undefined;
  }
}

const isIn = (folder: string, file: string): boolean =>
  file === folder || file.startsWith(`${folder}${path.sep}`);

const refused = (file: string, why: string): JobFailure =>
  new JobFailure("Job", `'${file}' of the worker is not for jobs: ${why}`);
