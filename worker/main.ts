import { accessSync, constants } from "node:fs";
import { homedir } from "node:os";
import path from "node:path";
import { parseArgs, type ParseArgsConfig } from "node:util";
import { VERSION } from "#protocol/version.ts";
import { jobDirectoryAt } from "./host/job-directory.ts";
import { claimRunner } from "./host/runner-claim.ts";
import { rerunCommand } from "./host/self.ts";

const HELP = `pumice-worker: runs jobs on the devices of this machine.

  pumice-worker start --url URL --token-file FILE [--work-dir DIR] [--name NAME]
      Takes jobs from the control plane at URL until it is stopped (SIGTERM, Ctrl-C). Running jobs go
      on without it; the next start takes them over.
        --token-file FILE   the token that "pumice workers add" printed
        --work-dir DIR      where jobs live; default $PUMICE_WORK_DIR, then /var/lib/pumice-worker
                            (when it may be written to), then ~/.local/share/pumice-worker
        --name NAME         put before each line of this program's own log

  pumice-worker run JOB.yaml --device DEVICE [--output DIR] [--dispatcher FILE] [--templates DIR]
      Runs one job here, without a control plane. Exits 0 when it is Complete, 1 when it isn't,
      2 when the job or the device is refused.
        --device DEVICE     a device dictionary (.jinja2), or its configuration in YAML or JSON
        --templates DIR     own device types, before Pumice's; may be given again
        --dispatcher FILE   this worker's settings in YAML (dispatcher_ip ...)
        --output DIR        keeps the log and the results there

  pumice-worker run --plan JOB.yaml --device DEVICE [--json]
      Prints what the job would do on the device, and does nothing: level, name, tries, seconds.
        --json              an object a line: level, name, attempts, timeout_seconds

  pumice-worker power DRIVER ADDRESS OUTLET on|off|cycle|status [--delay SECONDS]
      Switches an outlet by hand, as "pumice-power ..." does in a device's dictionary. Without more it
      lists the drivers.

  pumice-worker doctor [--settings FILE]
      Looks whether this machine has what jobs need: programs, ports, servers. A line each, with what to
      do about what is missing. Exits 0 when nothing is.
        --settings FILE     the worker's settings (dispatcher_ip, tftp_dir, nfs_root ...), YAML

  pumice-worker --help | --version
`;

/** What was typed is wrong: exit code 2. */
class UsageError extends Error {}

const COMMANDS: Record<string, (args: string[]) => Promise<number>> = {
  start,
  run,
  runner,
  doctor,
  power,
};

async function main([command = "", ...args]: string[]): Promise<number> {
  if (["--help", "-h", "help"].includes(command)) return print(HELP);
  if (command === "--version") return print(`pumice-worker ${VERSION}\n`);
  const action = Object.hasOwn(COMMANDS, command) ? COMMANDS[command] : undefined;
  if (!action) throw new UsageError(command ? `unknown command ${command}` : "no command given");
  return args.includes("--help") ? print(HELP) : action(args);
}

async function start(args: string[]): Promise<number> {
  const { values } = parse(args, {
    url: { type: "string" },
    "token-file": { type: "string" },
    "work-dir": { type: "string" },
    name: { type: "string" },
  });
  const url = required(values, "url");
  const tokenFile = required(values, "token-file");
  const workDir = path.resolve(values["work-dir"] ?? defaultWorkDir());
  const prefix = values.name ? `${values.name} ` : "";
  const { runAgent } = await import("./agent/agent.ts");
  const stop = new AbortController();
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    process.on(signal, () => (stop.signal.aborted ? process.exit(1) : stop.abort()));
  }
  // Whoever read our log has gone: no reason to go as well.
  process.stderr.on("error", () => {});
  const log = (line: string): void => {
    process.stderr.write(`${new Date().toISOString()} ${prefix}${line}\n`);
  };
  log(`pumice-worker ${VERSION}, control plane ${url}, work folder ${workDir}`);
  const runnerCommand = (folder: string) => rerunCommand(["runner", folder]);
  const { tftpForJobs } = await import("./services/agent-tftp.ts");
  const jobBegins = tftpForJobs(workDir, log);
  const { removeJobContainers } = await import("./drivers/container-leftovers.ts");
  const runnerDied = (scratch: string): Promise<void> => removeJobContainers(scratch, log);
  const options = { url, tokenFile, workDir, runnerCommand, jobBegins, runnerDied, log };
  await runAgent(options, stop.signal);
  log("stopped; running jobs go on");
  return 0;
}

async function run(args: string[]): Promise<number> {
  const { values, positionals } = parse(args, {
    device: { type: "string" },
    dispatcher: { type: "string" },
    json: { type: "boolean" },
    output: { type: "string" },
    plan: { type: "boolean" },
    templates: { type: "string", multiple: true },
  });
  const [jobFile, ...more] = positionals;
  if (!jobFile || more.length > 0) throw new UsageError("run: expected exactly one job file");
  const { dispatcher, output, templates = [] } = values;
  const files = {
    jobFile,
    deviceFile: required(values, "device"),
    templates,
    ...(dispatcher ? { dispatcherFile: dispatcher } : {}),
  };
  const { planLocal, runLocal } = await import("./run-local.ts");
  if (values.plan) return planLocal(files, values.json === true);
  return runLocal({ ...files, ...(output ? { outputDir: output } : {}) });
}

async function power(args: string[]): Promise<number> {
  const { POWER_DRIVERS, runPowerCommand } = await import("./drivers/power/power-command.ts");
  if (args.length === 0) {
    return print(
      Object.values(POWER_DRIVERS)
        .map(({ usage }) => `${usage}\n`)
        .join(""),
    );
  }
  const stop = new AbortController();
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    process.once(signal, () => stop.abort(new Error(`stopped by ${signal}`)));
  }
  const say = (line: string): void => void print(`${line}\n`);
  try {
    await runPowerCommand(args, { signal: stop.signal, say });
  } catch (error) {
    const { type, message } = error as { type?: unknown; message: string };
    if (type === "Configuration") throw new UsageError(message);
    throw type === "Infrastructure" ? new Error(message, { cause: error }) : error;
  }
  return 0;
}

async function doctor(args: string[]): Promise<number> {
  const { values, positionals } = parse(args, { settings: { type: "string" } });
  if (positionals.length > 0) throw new UsageError("doctor: expected options only");
  const { runDoctor } = await import("./doctor.ts");
  return runDoctor(values.settings, (line) => process.stdout.write(`${line}\n`));
}

/** Internal: what the agent starts for each job. Does nothing when the job has a runner already. */
async function runner([folder]: string[]): Promise<number> {
  if (!folder) throw new UsageError("runner: expected a job's folder");
  if (!claimRunner(jobDirectoryAt(folder).runner)) return 0;
  const { runJobDirectory } = await import("./runner.ts");
  return runJobDirectory(folder);
}

function parse<T extends NonNullable<ParseArgsConfig["options"]>>(args: string[], options: T) {
  try {
    return parseArgs({ args, options, allowPositionals: true });
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

function required(values: Record<string, unknown>, name: string): string {
  const value = values[name];
  if (typeof value !== "string" || value === "") throw new UsageError(`--${name} is missing`);
  return value;
}

function defaultWorkDir(): string {
  if (process.env["PUMICE_WORK_DIR"]) return process.env["PUMICE_WORK_DIR"];
  const system = "/var/lib/pumice-worker";
  if (process.getuid?.() === 0 || isWritable(system)) return system;
  return path.join(homedir(), ".local/share/pumice-worker");
}

function isWritable(folder: string): boolean {
  try {
    accessSync(folder, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

function print(text: string): number {
  process.stdout.write(text);
  return 0;
}

main(process.argv.slice(2)).then(
  (code) => {
    process.exitCode = code;
    // What a job left open (a socket, a timer) must not keep its process; only `run` may have
    // output on its way.
    if (process.argv[2] !== "run") process.exit();
  },
  (error: unknown) => {
    const isUsage = error instanceof UsageError;
    const text = isUsage ? `${error.message}; see pumice-worker --help` : describe(error);
    process.stderr.write(`pumice-worker: ${text}\n`);
    process.exit(isUsage ? 2 : 1);
  },
);

/** A file or network error says enough by its message; anything else is a bug and shows where. */
function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return "code" in error || error.constructor === Error
    ? error.message
    : (error.stack ?? error.message);
}
