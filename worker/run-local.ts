import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import type { SourceProblem } from "#protocol/api.ts";
import { readRunnerJob } from "#protocol/job-definition.ts";
import type { LogRecord } from "#protocol/log-record.ts";
import type { Ticket } from "#protocol/worker-api.ts";
import { cancelSignals } from "./host/cancel-signals.ts";
import { removeTree } from "./host/remove-tree.ts";
import { openSpool } from "./host/spool.ts";
import { readDeviceFile } from "./device-file.ts";
import { readTicket } from "./job-context.ts";
import { logLine, resultTable } from "./local-output.ts";
import { describePlan, planLines } from "./pipeline/describe-plan.ts";
import { multinodeSettings } from "./pipeline/group.ts";
import { JobFailure } from "./pipeline/job-failure.ts";
import { stopWhenFull } from "./disk-full.ts";
import { plan, runTicket } from "./run-ticket.ts";

export interface LocalFiles {
  readonly jobFile: string;
  /** A device dictionary (`.jinja2`), or a rendered configuration in YAML or JSON. */
  readonly deviceFile: string;
  /** Folders with device types, asked before Pumice's own. */
  readonly templates: readonly string[];
  /** The worker's settings, as YAML: `dispatcher_ip` ... */
  readonly dispatcherFile?: string;
}

export interface LocalRun extends LocalFiles {
  /** Keeps `log.jsonl`, `results.json` (the result records) and `result.json` (how it ended) there. */
  readonly outputDir?: string;
}

/**
 * Runs one job on one device of this machine, without a control plane: the log goes to standard output,
 * a table of results ends it. 0 when the job passed, 1 when not, 2 when a file is refused.
 */
export async function runLocal({ outputDir, ...files }: LocalRun): Promise<number> {
  const ticket = readFiles(files);
  if (!ticket) return 2;
  if (multinodeSettings(readRunnerJob(ticket.definition).definition ?? {})) {
    process.stderr.write(
      `${files.jobFile}: a multinode job needs a control plane through which its devices talk: submit it there (pumice submit)\n`,
    );
    return 2;
  }
  const temporary = mkdtempSync(path.join(tmpdir(), "pumice-run-"));
  const output = path.resolve(outputDir ?? temporary);
  mkdirSync(output, { recursive: true });
  const logFile = path.join(output, "log.jsonl");
  rmSync(logFile, { force: true });
  const { signals, onFull } = stopWhenFull(cancelSignals(), output);
  const spool = openSpool(logFile, { onFull });
  const results: LogRecord[] = [];
  // Nobody reads any more (`| head`): the job goes on, its files are complete.
  process.stdout.on("error", () => {});
  try {
    const result = await runTicket(ticket, {
      scratch: path.join(temporary, "scratch"),
      signals,
      sink: (line, record) => {
        spool.append(line);
        if (record.lvl === "results") results.push(record);
        process.stdout.write(`${logLine(record)}\n`);
      },
    });
    const messages = results.map(({ msg }) => msg);
    writeFileSync(path.join(output, "results.json"), `${JSON.stringify(messages, null, 2)}\n`);
    writeFileSync(path.join(output, "result.json"), `${JSON.stringify(result)}\n`);
    process.stdout.write(resultTable(results));
    return result.result === "pass" ? 0 : 1;
  } finally {
    await spool.close(signals.cancel);
    await removeTree(temporary).catch((error: unknown) => {
      process.stderr.write(`${temporary} can't be removed: ${String(error)}\n`);
    });
  }
}

/** Prints the plan of a job on a device, and touches nothing; exit codes as `runLocal`. */
export function planLocal(files: LocalFiles, asJson: boolean): number {
  const ticket = readFiles(files);
  if (!ticket) return 2;
  try {
    const actions = plan(readTicket(ticket, "/nonexistent"));
    process.stdout.write(`${asJson ? planLines(actions) : describePlan(actions)}\n`);
    return 0;
  } catch (error) {
    process.stderr.write(`${files.jobFile}: ${JobFailure.from(error).message}\n`);
    return 1;
  }
}

/** The ticket that a control plane would have made of these files; undefined, and said why, when they are refused. */
function readFiles(files: LocalFiles): Ticket | undefined {
  const { jobFile, deviceFile, dispatcherFile, templates } = files;
  const definition = readText(jobFile);
  const deviceText = readText(deviceFile);
  const dispatcher = dispatcherFile === undefined ? "" : readText(dispatcherFile);
  if (definition === undefined || deviceText === undefined || dispatcher === undefined) return;
  const job = readRunnerJob(definition);
  tell(jobFile, [...job.problems, ...job.warnings]);
  if (!job.definition) return;
  const device_hostname = path.basename(deviceFile).replace(/\.(ya?ml|json|jinja2)$/, "");
  const device_type = job.definition.device_type ?? "";
  const device = readDeviceFile(deviceFile, deviceText, templates, {
    ...job.definition.context,
    scheduled_device_name: device_hostname,
    scheduled_device_type: device_type,
  });
  tell(deviceFile, device.problems);
  if (device.text === undefined) return;
  const token = "";
  const env_dut = "";
  return {
    job_id: 1,
    token,
    definition,
    device: device.text,
    device_hostname,
    device_type,
    dispatcher,
    env_dut,
  };
}

function readText(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    process.stderr.write(`${file}: ${code === "ENOENT" ? "there is no such file" : message}\n`);
    return undefined;
  }
}

function tell(file: string, problems: readonly SourceProblem[]): void {
  for (const { line, column, path: where, message } of problems) {
    process.stderr.write(`${file}:${line}:${column}: ${where ? `${where}: ` : ""}${message}\n`);
  }
}
