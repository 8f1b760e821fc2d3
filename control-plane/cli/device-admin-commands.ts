import { setTimeout as sleep } from "node:timers/promises";
import type { DeviceView, WorkerView } from "#protocol/api.ts";
import type { EditDevice, EditWorker } from "#protocol/edit-device.ts";
import { ClientError } from "./client.ts";
import {
  argumentsOf,
  readNamedFile,
  textOf,
  UsageError,
  type Command,
  type Context,
} from "./command.ts";
import { printable } from "./printable.ts";

/** Between two looks at what has to end first. */
const PAUSE_MS = 2000;

/** What an administrator says of devices and workers, and where a device is. */
export const deviceAdminCommands: readonly Command[] = [
  {
    usage: "devices move HOSTNAME WORKER",
    about: "move a device to another worker; refused while a job has it",
    options: { "when-idle": { type: "boolean" }, reason: { type: "string" } },
    help: [
      "--when-idle         wait for the end of the job that has it",
      "--reason TEXT       why; stands in the history",
    ],
    run: move,
  },
  {
    usage: "devices set HOSTNAME",
    about: "say of a device what it is, whose it is, and what one has to know who stands before it",
    options: {
      description: { type: "string" },
      owner: { type: "string" },
      group: { type: "string" },
      notes: { type: "string" },
      reason: { type: "string" },
    },
    help: [
      "--description TEXT",
      "--owner NAME        who has it on their desk; empty: nobody",
      "--group NAME        the group it belongs to; neither gives rights",
      "--notes FILE        of which the text is shown with the device",
      "--reason TEXT       why; stands in the history",
    ],
    run: async (context) => {
      const [hostname = ""] = argumentsOf(context, "HOSTNAME");
      const { values } = context;
      const notes = textOf(values, "notes");
      const wanted = given({
        description: textOf(values, "description"),
        physical_owner: textOf(values, "owner"),
        physical_group: textOf(values, "group"),
        notes: notes === undefined ? undefined : readNamedFile(notes),
        reason: textOf(values, "reason"),
      }) satisfies EditDevice;
      await context.client().json<DeviceView>("PATCH", deviceAt(hostname), wanted);
      context.terminal.say(`${hostname} is changed`);
      return 0;
    },
  },
  {
    usage: "workers set NAME",
    about: "change a worker's description and how many jobs it has at a time",
    options: {
      description: { type: "string" },
      "job-limit": { type: "string" },
      reason: { type: "string" },
    },
    help: [
      "--description TEXT",
      "--job-limit N       most jobs at a time; 0: no limit",
      "--reason TEXT       why; stands in the history",
    ],
    run: async (context) => {
      const [name = ""] = argumentsOf(context, "NAME");
      const { values } = context;
      const limit = textOf(values, "job-limit");
      if (limit !== undefined && !/^\d{1,5}$/.test(limit)) {
        throw new UsageError(`--job-limit: expected a number, not ${limit}`);
      }
      const wanted = given({
        description: textOf(values, "description"),
        job_limit: limit === undefined ? undefined : Number(limit),
        reason: textOf(values, "reason"),
      }) satisfies EditWorker;
      const where = `/workers/${encodeURIComponent(name)}`;
      const worker = await context.client().json<WorkerView>("PATCH", where, wanted);
      const most = worker.job_limit === 0 ? "any number of jobs" : `${worker.job_limit} jobs`;
      context.terminal.say(`${name} has ${most} at a time`);
      return 0;
    },
  },
];

/** Waits until no device of a worker has a job, and says which it waits for. */
export async function waitUntilEmpty(context: Context, name: string): Promise<void> {
  const client = context.client("patient");
  let said = "";
  for (;;) {
    const { devices } = await client.json<WorkerView>(
      "GET",
      `/workers/${encodeURIComponent(name)}`,
    );
    const views = await Promise.all(
      devices.map((device) => client.json<DeviceView>("GET", deviceAt(device))),
    );
    const busy = views.filter(({ current_job }) => current_job !== undefined);
    const jobs = busy
      .map(({ hostname, current_job }) => `${current_job} on ${hostname}`)
      .join(", ");
    if (busy.length === 0)
      return context.terminal.say(`${name} is empty: no device of it has a job`);
    if (jobs !== said) context.terminal.say(printable(`waiting for jobs: ${jobs}`));
    said = jobs;
    await sleep(PAUSE_MS, undefined, { signal: context.signal });
  }
}

async function move(context: Context): Promise<number> {
  const [hostname = "", worker = ""] = argumentsOf(context, "HOSTNAME", "WORKER");
  const { terminal, values, signal } = context;
  const client = context.client("patient");
  const wanted = given({ worker, reason: textOf(values, "reason") });
  for (let isTold = false; ; isTold = true) {
    try {
      const device = await client.json<DeviceView>("PATCH", deviceAt(hostname), wanted);
      terminal.say(`${hostname} belongs to worker ${device.worker}`);
      return 0;
    } catch (error) {
      const isBusy = error instanceof ClientError && error.status === 409;
      if (!isBusy || values["when-idle"] !== true) throw error;
      if (!isTold) terminal.say(printable(error.message));
    }
    await sleep(PAUSE_MS, undefined, { signal });
  }
}

const deviceAt = (hostname: string): string => `/devices/${encodeURIComponent(hostname)}`;

/** Without what was not said. */
function given<T extends object>(fields: T): { [K in keyof T]?: NonNullable<T[K]> } {
  const said = Object.entries(fields).filter(([, value]) => value !== undefined);
  return Object.fromEntries(said) as { [K in keyof T]?: NonNullable<T[K]> };
}
