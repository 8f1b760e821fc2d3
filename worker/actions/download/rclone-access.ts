import { writeFile } from "node:fs/promises";
import path from "node:path";
import type { RcloneAccess } from "../../host/download-remote.ts";
import type { JobContext } from "../../pipeline/action.ts";
import { JobFailure } from "../../pipeline/job-failure.ts";

/** Variables that describe remotes or log in to them; others, such as a log file's name, are the worker's affair. */
const ALLOWED = /^(RCLONE_CONFIG_\w+_\w+|(AWS|AZURE|GOOGLE|B2|SWIFT|OS)_\w+)$/;
/** Options whose value rclone runs as a program, here. */
const RUNS = /(^|_)(ssh|command|mapper|program)$/i;

/**
 * How a job reaches the remotes of its `rclone://` URLs: secrets `rclone_env` (variables) and `rclone_config` (the
 * text of a configuration file), both optional.
 *
 * @throws JobFailure Job for what would run programs on the worker.
 */
export async function rcloneAccess(job: JobContext): Promise<RcloneAccess> {
  const { rclone_env: variables, rclone_config: config } = (job.definition.secrets ?? {}) as Record<
    string,
    unknown
  >;
  const env: Record<string, string> = {};
  for (const [name, value] of Object.entries((variables ?? {}) as Record<string, unknown>)) {
    if (!ALLOWED.test(name) || RUNS.test(name)) throw refused("rclone_env", name);
    env[name] = String(value);
  }
  if (typeof config !== "string") return { env };
  for (const line of config.split("\n")) {
    const key = /^\s*([^=#;[\s]+)\s*=/.exec(line)?.[1] ?? "";
    if (RUNS.test(key)) throw refused("rclone_config", key);
  }
  const configFile = path.join(job.scratch, "rclone.conf");
  await writeFile(configFile, config, { mode: 0o600 });
  return { env, configFile };
}

const refused = (secret: string, name: string): JobFailure =>
  new JobFailure(
    "Job",
    `secrets.${secret}: ${name} is not taken from a job: expected what describes a remote (type, endpoint, credentials)`,
  );
