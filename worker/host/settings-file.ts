import { randomBytes } from "node:crypto";
import {
  closeSync,
  constants,
  existsSync,
  fchmodSync,
  fchownSync,
  fstatSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { homedir } from "node:os";
import path from "node:path";

/** What the settings file and the environment may say, each by one name (docs/install.md). */
export const SETTING_NAMES = [
  "PUMICE_URL",
  "PUMICE_TOKEN_FILE",
  "PUMICE_NAME",
  "PUMICE_WORK_DIR",
  /** SHA-256 of the public key (SPKI) of the server's certificate, base64; in place of authorities. */
  "PUMICE_PIN",
  /** PEM certificates of authorities that are trusted beside the system's. */
  "PUMICE_CA_FILE",
  /** PEM public keys that may have signed a new version. */
  "PUMICE_RELEASE_KEYS",
  /** Kilobytes a second at most for the download of one. */
  "PUMICE_UPGRADE_KBPS",
  /** How long it has to reach its control plane. */
  "PUMICE_UPGRADE_CONFIRM_SECONDS",
  "PUMICE_CACHE_MB",
  "PUMICE_MAX_RSS",
  /** Megabytes that the log of a job may have, and how much of it may wait on this disk to be delivered. */
  "PUMICE_LOG_MB",
  "PUMICE_SPOOL_MB",
  /** No new jobs with less than this on the work folder's disk. */
  "PUMICE_MIN_FREE_MB",
  "HTTPS_PROXY",
  "HTTP_PROXY",
  "ALL_PROXY",
  "NO_PROXY",
] as const;
export type SettingName = (typeof SETTING_NAMES)[number];

/** From a file they are meant from the file's own folder. */
const PATHS: ReadonlySet<string> = new Set([
  "PUMICE_TOKEN_FILE",
  "PUMICE_WORK_DIR",
  "PUMICE_CA_FILE",
  "PUMICE_RELEASE_KEYS",
]);

export interface Setting {
  readonly value: string;
  /** For people: `the environment`, or `FILE:LINE`. */
  readonly from: string;
}

export interface WorkerSettings {
  /** Where they were looked for; it need not be there. */
  readonly file: string;
  readonly values: Readonly<Partial<Record<SettingName, Setting>>>;
  /** Names in the file that nobody knows, as `FILE:LINE: NAME`: told, not refused, for a version may be older than its file. */
  readonly unknown: readonly string[];
}

/**
 * The worker's settings: the environment's beat the file's; an empty one counts as not given. Proxies are known in upper
 * and lower case. Throws when the file can't be read or has a line that is no `KEY=VALUE`.
 */
export function readWorkerSettings(
  file = settingsFile(),
  env: NodeJS.ProcessEnv = process.env,
): WorkerSettings {
  const values: Partial<Record<SettingName, Setting>> = {};
  const unknown: string[] = [];
  for (const { name, value, from } of linesOf(file)) {
    const known = knownName(name);
    if (!known) unknown.push(`${from}: ${name}`);
    else if (value !== "") {
      const absolute = PATHS.has(known) ? path.resolve(path.dirname(file), value) : value;
      values[known] = { value: absolute, from };
    }
  }
  for (const name of SETTING_NAMES) {
    const value = (name.endsWith("_PROXY") && env[name.toLowerCase()]) || env[name];
    if (value) values[name] = { value, from: "the environment" };
  }
  return { file, values, unknown };
}

/**
 * Puts values into a settings file, takes those out that are undefined, and leaves its other lines, comments too, as they are; made when it is new. It is
 * replaced at once and belongs to whom its folder belongs: what root writes, the worker's user can read. Mode 0600, as a
 * proxy's address may have a password.
 */
export function writeWorkerSettings(
  file: string,
  values: Readonly<Partial<Record<SettingName, string | undefined>>>,
): void {
  const left = new Map(Object.entries(values));
  const lines = existsSync(file) ? readOwn(file).trimEnd().split("\n") : [HEAD];
  const kept = lines.flatMap((line) => {
    const name = knownName(/^\s*(\w+)\s*=/.exec(line)?.[1] ?? "");
    if (name === undefined || !Object.hasOwn(values, name)) return [line];
    const value = left.get(name);
    left.delete(name);
    return value === undefined ? [] : [lineOf(name, value)];
  });
  const added = [...left].flatMap(([name, value]) =>
    value === undefined ? [] : [lineOf(name, value)],
  );
  writePrivateFile(file, `${[...kept, ...added].join("\n")}\n`);
}

/** Replaces a file at once, mode 0600, as its folder's owner; makes the folder (0700) when there is none. */
export function writePrivateFile(file: string, content: string): void {
  const folder = path.dirname(file);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const fresh = `${file}.${randomBytes(4).toString("hex")}`;
  const { uid, gid } = statSync(folder);
  // Root may be writing into the worker's folder, who could put a link in the place of what has just been made.
  const fd = openSync(fresh, "wx", 0o600);
  try {
    // The mask of whoever runs this may have taken more away.
    fchmodSync(fd, 0o600);
    writeFileSync(fd, content);
    fsyncSync(fd);
    if (process.getuid?.() === 0) fchownSync(fd, uid, gid);
  } finally {
    closeSync(fd);
  }
  renameSync(fresh, file);
}

const HEAD = "# Settings of pumice-worker: KEY=VALUE lines, no quotes. See docs/install.md.";

/** The system's file, for root and where a user has none of their own. */
export const SYSTEM_SETTINGS = "/etc/pumice-worker/worker.env";

/** The file that this user's worker reads: `PUMICE_SETTINGS`, or the user's own, or the system's. */
export function settingsFile(env: NodeJS.ProcessEnv = process.env): string {
  if (env["PUMICE_SETTINGS"]) return path.resolve(env["PUMICE_SETTINGS"]);
  if (process.getuid?.() === 0) return SYSTEM_SETTINGS;
  const config = env["XDG_CONFIG_HOME"] || path.join(homedir(), ".config");
  const own = path.join(config, "pumice-worker/worker.env");
  return !existsSync(own) && existsSync(SYSTEM_SETTINGS) ? SYSTEM_SETTINGS : own;
}

/** Makes the file's values those of this process and of what it starts (runners, git ...). */
export function exportSettings(
  { values }: WorkerSettings,
  env: NodeJS.ProcessEnv = process.env,
): void {
  for (const name of SETTING_NAMES) {
    const value = values[name]?.value;
    if (value === undefined) continue;
    env[name] = value;
    // Most programs know a proxy by its lower-case name, some by that one only.
    if (name.endsWith("_PROXY")) env[name.toLowerCase()] = value;
  }
}

function knownName(name: string): SettingName | undefined {
  const upper = name.toLowerCase().endsWith("_proxy") ? name.toUpperCase() : name;
  return SETTING_NAMES.find((known) => known === upper);
}

function linesOf(file: string): { name: string; value: string; from: string }[] {
  let text: string;
  try {
    text = readOwn(file);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    // Of a folder that is another user's nobody knows whether the file is there.
    if (code === "ENOENT" || code === "ENOTDIR") return [];
    throw new Error(`${file} can't be read (${code ?? message}): its owner may, or root`, {
      cause: error,
    });
  }
  return text.split(/\r?\n/).flatMap((line, index) => {
    if (/^\s*(#|$)/.test(line)) return [];
    const from = `${file}:${index + 1}`;
    const [, name = "", value = ""] = /^\s*([A-Za-z_]\w*)\s*=(.*)$/.exec(line) ?? [];
    if (name === "")
      throw new Error(`${from}: expected KEY=VALUE, or a comment that begins with #`);
    const trimmed = value.trim();
    if (/^(["']).*\1$/.test(trimmed)) throw new Error(`${from}: ${name}: write it without quotes`);
    return [{ name, value: trimmed, from }];
  });
}

/**
 * A file's text. In a folder of the worker's user root follows no link, and reads nothing that this user could not: it
 * could be any file of root's by another name.
 */
function readOwn(file: string): string {
  const { uid } = statSync(path.dirname(file));
  const isForeign = process.getuid?.() === 0 && uid !== 0;
  const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = constants;
  const fd = openSync(file, isForeign ? O_RDONLY | O_NOFOLLOW | O_NONBLOCK : O_RDONLY);
  try {
    const found = fstatSync(fd);
    if (isForeign && found.uid !== uid && (found.mode & 0o004) === 0) {
      throw new Error(`${file} is not its folder's owner's: chown it`);
    }
    return readFileSync(fd, "utf8");
  } finally {
    closeSync(fd);
  }
}

function lineOf(name: string, value: string): string {
  if (!/^[^\s"'](?:[^\r\n\0]*[^\s])?$/.test(value)) {
    throw new Error(`${name} can't be kept in a settings file: ${JSON.stringify(value)}`);
  }
  return `${name}=${value}`;
}
