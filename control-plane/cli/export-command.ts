import * as v from "valibot";
import { labSchema, type Lab } from "#protocol/lab.ts";
import { ClientError } from "./client.ts";
import { argumentsOf, UsageError, type Command, type Context } from "./command.ts";
import { isEmptyDirectory, writeLabDirectory } from "./lab-directory/write-lab-directory.ts";

export const exportCommand: Command = {
  usage: "export DIR",
  about: "write the lab as files, for git and pumice apply (docs/lab-as-code.md)",
  options: { force: { type: "boolean" } },
  help: [
    "--force             write into a directory that has files; those of the lab which are no more are removed,",
    "                    all others are left alone",
  ],
  run: exportLab,
};

async function exportLab(context: Context): Promise<number> {
  const [dir = ""] = argumentsOf(context, "DIR");
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
