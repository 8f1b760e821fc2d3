import { spawn } from "node:child_process";
import { constants } from "node:os";
import { Readable } from "node:stream";
import { shellQuote } from "../overlay/shell-quote.ts";
import { JobFailure } from "../pipeline/job-failure.ts";
import { hasRules, NO_RULES, requireReachable, type DownloadRules } from "./download-rules.ts";
import { hostEnvironment, runCommand } from "./spawn.ts";

/** How rclone reaches the job's remotes, beside what the worker's own configuration has. */
export interface RcloneAccess {
  /** Environment variables that describe remotes. */
  readonly env: Readonly<Record<string, string>>;
  /** A configuration file, instead of the worker's own. */
  readonly configFile?: string | undefined;
}

export interface RemoteRequest {
  /** `scp://[user@]host[:port]/path` or `rclone://remote/path`. */
  readonly url: string;
  readonly rclone?: RcloneAccess | undefined;
  /** Which hosts may be reached. */
  readonly rules?: DownloadRules | undefined;
  readonly signal?: AbortSignal | undefined;
}

export const isRemote = (url: string): boolean => /^(scp|rclone):\/\//.test(url);

/** The program of the host that fetches from there; undefined for what we fetch ourselves. */
export const remoteTool = (url: string): "ssh" | "rclone" | undefined =>
  url.startsWith("scp://") ? "ssh" : url.startsWith("rclone://") ? "rclone" : undefined;

/**
 * The bytes of a file on a machine reached by ssh, or of an rclone remote (DISPATCHER.md 11.1). The stream fails with
 * a JobFailure Infrastructure when the program does.
 */
export async function openRemote(
  request: RemoteRequest,
): Promise<{ stream: Readable; sizeBytes: number | undefined }> {
  const place = await openPlace(request);
  if (place.tool === "rclone") {
    return { stream: output(["rclone", "cat", place.remote], request), sizeBytes: undefined };
  }
  const sizeBytes = await sizeBySsh(request, place, "Infrastructure");
  return { stream: output(sshArgv(place, `cat ${shellQuote(place.path)}`), request), sizeBytes };
}

/** @throws JobFailure Job when the file isn't there, Infrastructure when its machine can't be reached. */
export async function probeRemote(request: RemoteRequest): Promise<void> {
  const { url, signal } = request;
  const place = await openPlace(request);
  if (place.tool === "ssh") return void (await sizeBySsh(request, place, "Job"));
  const argv = ["rclone", "lsf", "--files-only", place.remote] as const;
  const { status, output: said } = await runCommand(argv, {
    env: environment(request),
    ...(signal ? { signal } : {}),
  });
  if (status === 0 && said.trim() !== "") return;
  const isMissing = status === 0 || (RCLONE_MISSING.has(status) && !NO_ANSWER.test(said));
  throw unavailable(isMissing ? "Job" : "Infrastructure", url, said);
}

type Place =
  | { readonly tool: "ssh"; readonly host: string; readonly port?: string; readonly path: string }
  | { readonly tool: "rclone"; readonly remote: string };

/** @throws JobFailure Job for an address that isn't one, or that the program would take for an option. */
export function placeOf(url: string): Place {
  const scp = SCP.exec(url);
  if (scp?.[1] && scp[3] && !/[\0\n]/.test(scp[3])) {
    const host = scp[1].replace(/[[\]]/g, "");
    return { tool: "ssh", host, path: scp[3], ...(scp[2] ? { port: scp[2] } : {}) };
  }
  const rclone = /^rclone:\/\/([\w][\w .+@]*)\/(.+)$/.exec(url);
  if (rclone?.[1] && rclone[2] && !rclone[2].includes("\0")) {
    return { tool: "rclone", remote: `${rclone[1]}:${rclone[2]}` };
  }
  throw new JobFailure(
    "Job",
    `url '${url}': expected scp://[user@]host[:port]/path or rclone://remote/path`,
  );
}

/** The place, when the job may reach it. Which hosts a remote of the job's own leads to only rclone knows. */
async function openPlace({ url, rclone, rules = NO_RULES }: RemoteRequest): Promise<Place> {
  const place = placeOf(url);
  if (place.tool === "rclone") {
    const isOwn = Object.keys(rclone?.env ?? {}).length > 0 || rclone?.configFile !== undefined;
    if (!isOwn || !hasRules(rules)) return place;
    throw new JobFailure(
      "Job",
      `'${url}': the jobs of this worker may not describe remotes of their own, as its settings download_hosts and download_hosts_denied can't hold for them; those of the worker's rclone may be used`,
    );
  }
  // It may be a name of ssh's own configuration.
  await requireReachable(rules, { url, host: place.host.replace(/^.*@/, "") });
  return place;
}

const SCP = /^scp:\/\/((?:\w[\w.+-]*@)?(?:\w[\w.-]*|\[[\da-fA-F:.%]+\]))(?::(\d+))?(\/.+)$/;

/** No questions: nobody would answer. Keys and known hosts are those of the worker's user. */
const sshArgv = (
  { host, port }: Extract<Place, { tool: "ssh" }>,
  command: string,
): [string, ...string[]] => {
  const options = ["-o", "BatchMode=yes", "-o", "ConnectTimeout=30"];
  return ["ssh", ...options, ...(port ? ["-p", port] : []), "--", host, command];
};

async function sizeBySsh(
  { url, signal }: RemoteRequest,
  place: Extract<Place, { tool: "ssh" }>,
  type: "Job" | "Infrastructure",
): Promise<number> {
  // `-L`: what a symbolic link leads to is what is fetched.
  const argv = sshArgv(place, `stat -L -c %s ${shellQuote(place.path)}`);
  const { status, output: said } = await runCommand(argv, signal ? { signal } : {});
  const size = /^(\d+)$/m.exec(said)?.[1];
  if (status === 0 && size !== undefined) return Number(size);
  throw unavailable(status === SSH_FAILED ? "Infrastructure" : type, url, said);
}

/** ssh's own exit code, whatever the command there would say. */
const SSH_FAILED = 255;
/** rclone: folder or file not found; 1 is said of a remote that the job did not describe well, but also of one that is down. */
const RCLONE_MISSING = new Set([1, 2, 3, 4]);
/** How Go's network library, and so every rclone remote, says that there was no connection. */
const NO_ANSWER = /\bdial (?:tcp|udp)|connection re(?:fused|set)|no such host|i\/o timeout/;

function output(argv: readonly [string, ...string[]], request: RemoteRequest): Readable {
  return Readable.from(outputOf(argv, request), { objectMode: false });
}

async function* outputOf(
  [program, ...args]: readonly [string, ...string[]],
  request: RemoteRequest,
): AsyncGenerator<Buffer> {
  const child = spawn(program, args, {
    env: environment(request),
    stdio: ["ignore", "pipe", "pipe"],
    // Who waits for its next byte can't be told to stop.
    ...(request.signal ? { signal: request.signal, killSignal: "SIGKILL" } : {}),
  });
  let said = "";
  child.stderr.on("data", (data: Buffer) => (said = `${said}${data.toString()}`.slice(-2000)));
  const ended = new Promise<number | Error>((resolve) => {
    child.on("error", resolve);
    child.on("close", (code, by) => resolve(code ?? 128 + constants.signals[by ?? "SIGKILL"]));
  });
  try {
    yield* child.stdout as AsyncIterable<Buffer>;
    const end = await ended;
    if (end === 0) return;
    const why = typeof end === "number" ? `${program} exit code ${end}: ${said}` : end.message;
    throw unavailable("Infrastructure", request.url, why);
  } finally {
    child.kill("SIGKILL");
  }
}

const environment = ({ rclone }: RemoteRequest): Record<string, string> =>
  hostEnvironment({
    ...rclone?.env,
    ...(rclone?.configFile === undefined ? {} : { RCLONE_CONFIG: rclone.configFile }),
  });

const unavailable = (type: "Job" | "Infrastructure", url: string, said: string): JobFailure =>
  new JobFailure(
    type,
    `Resource unavailable at '${url}': ${said.trim().split("\n").at(-1) || "there is no such file"}`,
  );
