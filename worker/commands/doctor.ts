import { accessSync, constants } from "node:fs";
import path from "node:path";
import { exportSettings, readWorkerSettings, type WorkerSettings } from "../host/settings-file.ts";
import { parse, UsageError } from "./command-line.ts";
import { defaultWorkDir } from "./default-work-dir.ts";

/** `pumice-worker doctor`: what this machine lacks. */
export async function doctor(args: string[]): Promise<number> {
  const { values, positionals } = parse(args, {
    settings: { type: "string" },
    dispatcher: { type: "string" },
    "work-dir": { type: "string" },
    json: { type: "boolean" },
  });
  if (positionals.length > 0) throw new UsageError("doctor: expected options only");
  const settings = readSettings(values.settings);
  exportSettings(settings);
  const { runDoctor } = await import("../doctor/run-doctor.ts");
  const options = {
    settings,
    workDir: path.resolve(values["work-dir"] ?? defaultWorkDir()),
    dispatcherFile: values.dispatcher,
    isJson: values.json,
  };
  return runDoctor(options, (line) => process.stdout.write(`${line}\n`));
}

/** Throws `UsageError` when the file that was named isn't there, or is none. */
function readSettings(named: string | undefined): WorkerSettings {
  if (named !== undefined && /\.ya?ml$/.test(named)) {
    throw new UsageError(`${named}: the settings of a worker's jobs are given by --dispatcher`);
  }
  try {
    if (named !== undefined) accessSync(named, constants.R_OK);
    return readWorkerSettings(named && path.resolve(named));
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw new UsageError(code === "ENOENT" ? `there is no file ${named}` : message);
  }
}
