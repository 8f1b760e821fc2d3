import path from "node:path";
import { faultOfLabUrl } from "#protocol/lab-url.ts";
import { VERSION } from "#protocol/version.ts";
import type { OpenDevice } from "../agent/console-relays.ts";
import { megabytesOf } from "../host/megabytes.ts";
import { leavePages, leaveRubbish } from "../host/start-up-pages.ts";
import { rerunCommand } from "../host/self.ts";
import { exportSettings, readWorkerSettings, type WorkerSettings } from "../host/settings-file.ts";
import { endConsolesOf } from "../services/left-consoles.ts";
import {
  LAVA_OPTIONS,
  lavaOf,
  lavaServerOf,
  lavaWorkDir,
  refuseLavaOptions,
  speaksLava,
} from "./lava-options.ts";
import { parse, UsageError } from "./command-line.ts";
import { defaultWorkDir } from "./default-work-dir.ts";

/** An agent and a runner take about as much. */
const LEAST_MB = 100;

/** `pumice-worker start`: the agent, until it is stopped. */
export async function start(args: string[]): Promise<number> {
  const { values, positionals } = parse(args, {
    url: { type: "string" },
    "token-file": { type: "string" },
    "work-dir": { type: "string" },
    name: { type: "string" },
    "max-rss": { type: "string" },
    ...LAVA_OPTIONS,
  });
  const [extra] = positionals;
  if (extra !== undefined) throw new UsageError(`start: unexpected argument ${extra}`);
  const settings = readWorkerSettings();
  exportSettings(settings);
  setMaxRss(values["max-rss"]);
  const isLava = speaksLava(values.protocol);
  if (!isLava) refuseLavaOptions(values);
  const workDir = path.resolve(values["work-dir"] ?? (isLava ? lavaWorkDir() : defaultWorkDir()));
  const { url, tokenFile } = isLava
    ? lavaServerOf(values, workDir)
    : controlPlaneOf(values, settings);
  // The pin is that of this URL, for the runners too.
  process.env["PUMICE_URL"] = url;
  const name = values.name ?? settings.values.PUMICE_NAME?.value;
  const prefix = name ? `${name} ` : "";
  const { runAgent } = await import("../agent/agent.ts");
  const stop = new AbortController();
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    process.on(signal, () => (stop.signal.aborted ? process.exit(1) : stop.abort()));
  }
  // Whoever read our log has gone: no reason to go as well.
  process.stderr.on("error", () => {});
  const log = (line: string): void => {
    process.stderr.write(`${new Date().toISOString()} ${prefix}${line}\n`);
  };
  log(
    `pumice-worker ${VERSION}, ${isLava ? "LAVA server" : "control plane"} ${url}, work folder ${workDir}`,
  );
  for (const line of settings.unknown) log(`${line}: no such setting`);
  const runnerCommand = (folder: string) => rerunCommand(["runner", folder]);
  const cleanUpCommand = (folder: string) => rerunCommand(["clean-up", folder]);
  const { tftpForJobs } = await import("../services/agent-tftp.ts");
  const { jobBegins: serveJob, isBusy } = tftpForJobs(workDir, log);
  const jobBegins: typeof serveJob = (ticket) => {
    clearTimeout(resting);
    serveJob(ticket);
  };
  const commands = { runnerCommand, cleanUpCommand };
  const openDevice: OpenDevice = async (ticket, signal) =>
    (await import("../services/agent-console.ts")).openDevice(ticket, workDir, signal);
  const lava = isLava ? await lavaOf(values, url, name) : undefined;
  const endLeftConsoles = (): void => endConsolesOf(workDir);
  const options = {
    url,
    tokenFile,
    workDir,
    ...commands,
    jobBegins,
    isBusy,
    isIdle,
    ...(lava ?? { openDevice }),
    endLeftConsoles,
    log,
  };
  await runAgent(options, stop.signal);
  log("stopped; running jobs go on");
  return 0;
}

/** What was just done is over by then, and a job that follows at once has begun. */
const REST_MS = 1000;
/** The runtime looks through its heap by itself now and then, and each sync is work, too. */
const REST_AGAIN_MS = 10_000;

let resting: NodeJS.Timeout | undefined;

function isIdle(): void {
  clearTimeout(resting);
  resting = setTimeout(() => {
    leaveRubbish();
    rest();
  }, REST_MS).unref();
}

function rest(): void {
  if (leavePages()) resting = setTimeout(rest, REST_AGAIN_MS).unref();
}

/** For this agent, and the runners that it starts. */
function setMaxRss(option: string | undefined): void {
  const value = option ?? process.env["PUMICE_MAX_RSS"];
  if (value === undefined || value === "") return;
  if ((megabytesOf(value) ?? 0) < LEAST_MB) {
    throw new UsageError(`--max-rss (PUMICE_MAX_RSS): expected megabytes, ${LEAST_MB} or more`);
  }
  process.env["PUMICE_MAX_RSS"] = value;
}

/** Options first, then the settings, whose environment beats their file. */
function controlPlaneOf(
  values: { url?: string; "token-file"?: string },
  { values: { PUMICE_URL, PUMICE_TOKEN_FILE }, file }: WorkerSettings,
): { url: string; tokenFile: string } {
  const url = values.url || PUMICE_URL?.value;
  const tokenFile = values["token-file"] || PUMICE_TOKEN_FILE?.value;
  const fault = url ? faultOfLabUrl(url) : undefined;
  if (fault !== undefined) throw new UsageError(fault);
  if (url && tokenFile) return { url, tokenFile };
  const missing = url ? "--token-file" : "--url";
  throw new UsageError(
    `${missing} is missing, and ${file} doesn't say it: enrol this machine by "pumice-worker enrol URL CODE", or give both options`,
  );
}
