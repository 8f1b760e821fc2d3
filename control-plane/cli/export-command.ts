import * as v from "valibot";
import { labSchema, type Lab } from "#protocol/lab.ts";
import { makeBackup, said } from "./backup/make-backup.ts";
import { ClientError } from "./client.ts";
import { argumentsOf, UsageError, type Command, type Context } from "./command.ts";
import { isEmptyDirectory, writeLabDirectory } from "./lab-directory/write-lab-directory.ts";
import { coloured } from "./terminal.ts";

export const exportCommand: Command = {
  usage: "export DIR",
  about: "write the lab as files, for git and pumice apply (docs/lab-as-code.md); --all: a backup",
  options: {
    force: { type: "boolean" },
    all: { type: "boolean" },
    close: { type: "boolean" },
  },
  help: [
    "--force             write into a directory that has files; those of the lab which are no more are removed,",
    "                    all others are left alone",
    "--all               the whole lab instead, with jobs, results, logs and hashes of tokens, for pumice import",
    "                    (docs/backup.md). A run that was cut goes on where it was. The lab goes on meanwhile",
    "--close             with --all: the lab takes nothing new from now on, so that a move loses nothing;",
    "                    pumice reopen takes that back",
  ],
  run: exportLab,
};

async function exportLab(context: Context): Promise<number> {
  const [dir = ""] = argumentsOf(context, "DIR");
  if (context.values["all"] === true) return exportAll(context, dir);
  if (context.values["close"] === true) throw new UsageError("--close goes with --all");
  refuseUsedDirectory(context, dir);
  const client = context.client();
  const read = v.safeParse(labSchema, await client.json<unknown>("GET", "/lab"));
  if (!read.success) {
    const [{ message }] = read.issues;
    const where = v.getDotPath(read.issues[0]) ?? "the answer";
    throw new ClientError(
      `${client.url} tells a lab that this pumice can't read: ${where}: ${message}`,
    );
  }
  const lab = withoutPassingHealths(read.output);
  const { written, removed } = writeLabDirectory(dir, lab);
  context.terminal.say(`${dir}: files written: ${written}, removed: ${removed}`);
  return 0;
}

async function exportAll({ values, terminal, ...rest }: Context, dir: string): Promise<number> {
  const close = values["close"] === true;
  if (values["force"] === true) throw new UsageError("--force does not go with --all");
  const { counts, closed } = await makeBackup({ values, terminal, ...rest }, dir, { close });
  terminal.progress?.("");
  const { missing_blobs: missing } = counts;
  if (missing > 0) {
    const warning = coloured(terminal, "yellow", "warning:");
    terminal.say(`${warning} ${missing} files of jobs are gone from the lab or damaged there`);
  }
  terminal.out(`${dir}: ${said(counts)}`);
  if (closed) terminal.say("The lab is closed; pumice reopen opens it again.");
  return 0;
}

/** Throws a UsageError for a directory that has files, unless the person insists. */
export function refuseUsedDirectory({ values }: Context, dir: string): void {
  if (values["force"] === true || isEmptyDirectory(dir)) return;
  throw new UsageError(`${dir} is not empty: name another directory, or give --force`);
}

/** A health that people set is part of the lab; one that comes and goes with jobs would make every export differ. */
function withoutPassingHealths(lab: Lab): Lab {
  const devices = Object.entries(lab.devices ?? {}).map(([name, { health, ...device }]) => {
    const isSet = health === "Maintenance" || health === "Retired" || health === "Looping";
    return [name, isSet ? { ...device, health } : device] as const;
  });
  const workers = Object.entries(lab.workers ?? {}).map(([name, { health, ...worker }]) => {
    const isSet = health !== undefined && health !== "Active";
    return [name, isSet ? { ...worker, health } : worker] as const;
  });
  return { ...lab, devices: Object.fromEntries(devices), workers: Object.fromEntries(workers) };
}
