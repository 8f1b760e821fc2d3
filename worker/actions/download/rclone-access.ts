import { writeFile } from "node:fs/promises";
import path from "node:path";
import type { RcloneAccess } from "../../host/download-remote.ts";
import type { JobContext } from "../../pipeline/action.ts";
import { JobFailure } from "../../pipeline/job-failure.ts";

/**
 * Variables that describe remotes or log in to them. Others are the worker's affair: a log file's name, or a library's
 * own configuration, which may name programs to run (AWS_CONFIG_FILE, GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES).
 */
const ALLOWED =
  /^(RCLONE_CONFIG_\w+_\w+|AWS_(ACCESS_KEY_ID|SECRET_ACCESS_KEY|SESSION_TOKEN|(DEFAULT_)?REGION)|AZURE_(TENANT_ID|CLIENT_ID|CLIENT_SECRET|USERNAME|PASSWORD)|OS_\w+)$/;
/** Options whose value rclone, or a library of it, runs as a program or reads such orders from. */
const RUNS = /(^|_)(ssh|command|mapper|program|shared_credentials_file)$/i;
/**
 * The same as a setting anywhere in a text: rclone takes `key: value` and quoted keys too, and a value may be a remote with
 * settings of its own (`remote = :sftp,ssh=…:`).
 */
const SETS =
  /(?:^|[^a-z0-9])(ssh|command|mapper|program|shared_credentials_file)["'`]{0,3}[^\S\n]*[=:]/im;

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
    const isOrder = RUNS.test(name) || SETS.test(String(value));
    if (!ALLOWED.test(name) || isOrder) throw refused("rclone_env", name);
    env[name] = String(value);
  }
  const describes = Object.keys(env).length > 0 || typeof config === "string";
  // A remote with `env_auth` would log in as the machine: by its cloud's metadata.
  if (describes) env["AWS_EC2_METADATA_DISABLED"] = "true";
  if (typeof config !== "string") return { env };
  const order = SETS.exec(config)?.[1];
  if (order !== undefined) throw refused("rclone_config", order);
  const configFile = path.join(job.scratch, "rclone.conf");
  await writeFile(configFile, config, { mode: 0o600 });
  return { env, configFile };
}

const refused = (secret: string, name: string): JobFailure =>
  new JobFailure(
    "Job",
    `secrets.${secret}: ${name} is not taken from a job: expected what describes a remote (type, endpoint, credentials)`,
  );
