import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import type { SourceProblem } from "#protocol/api.ts";
import { readDeviceConfiguration } from "#protocol/device-configuration.ts";
import { readJobDefinition } from "#protocol/job-definition.ts";
import type { LogRecord } from "#protocol/log-record.ts";
import { cancelSignals } from "./host/cancel-signals.ts";
import { openSpool } from "./host/spool.ts";
import { logLine, resultTable } from "./local-output.ts";
import { runTicket } from "./run-ticket.ts";

export interface LocalRun {
  readonly jobFile: string;
  readonly deviceFile: string;
  /** Keeps `log.jsonl`, `results.json` (the result records) and `result.json` (how it ended) there. */
  readonly outputDir?: string;
}

/**
 * Runs one job on one device of this machine, without a control plane: the log goes to standard output,
 * a table of results ends it. 0 when the job passed, 1 when not, 2 when a file is refused.
 */
export async function runLocal({ jobFile, deviceFile, outputDir }: LocalRun): Promise<number> {
  const definition = readText(jobFile);
  const device = readText(deviceFile);
  if (definition === undefined || device === undefined) return 2;
  const job = readJobDefinition(definition);
  const configuration = readDeviceConfiguration(device);
  tell(jobFile, [...job.problems, ...job.warnings]);
  tell(deviceFile, configuration.problems);
  if (job.problems.length > 0 || configuration.problems.length > 0) return 2;

  const temporary = mkdtempSync(path.join(tmpdir(), "pumice-run-"));
  const output = path.resolve(outputDir ?? temporary);
  mkdirSync(output, { recursive: true });
  const logFile = path.join(output, "log.jsonl");
  rmSync(logFile, { force: true });
  const spool = openSpool(logFile);
  const results: LogRecord[] = [];
  // Nobody reads any more (`| head`): the job goes on, its files are complete.
  process.stdout.on("error", () => {});
  try {
    const ticket = {
      job_id: 1,
      token: "",
      definition,
      device,
      device_hostname: path.basename(deviceFile).replace(/\.ya?ml$/, ""),
      device_type: job.definition?.device_type ?? "",
      dispatcher: "",
      env_dut: "",
    };
    const result = await runTicket(ticket, {
      scratch: path.join(temporary, "scratch"),
      signals: cancelSignals(),
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
    spool.close();
    rmSync(temporary, { recursive: true, force: true });
  }
}

function readText(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    process.stderr.write(`${file}: ${(error as Error).message}\n`);
    return undefined;
  }
}

function tell(file: string, problems: readonly SourceProblem[]): void {
  for (const { line, column, path: where, message } of problems) {
    process.stderr.write(`${file}:${line}:${column}: ${where ? `${where}: ` : ""}${message}\n`);
  }
}
