import type { DeviceView, JobView, WorkerView } from "#protocol/api.ts";
import type { ChangeView, History } from "#protocol/history.ts";
import type { WorkerHealth } from "#protocol/states.ts";
import {
  argumentsOf,
  countOf,
  JSON_HELP,
  JSON_OPTION,
  jobIdOf,
  textOf,
  UsageError,
  type Command,
  type Context,
} from "./command.ts";
import { waitUntilEmpty } from "./device-admin-commands.ts";
import { printable } from "./printable.ts";
import { table } from "./terminal.ts";

const REASON = {
  options: { reason: { type: "string" } },
  help: ["--reason TEXT       why; stands in the history"],
} as const;

/** What changes when jobs run, and what happened to whom. */
export const schedulingCommands: readonly Command[] = [
  {
    usage: "devices check HOSTNAME",
    about: "make a device's next job a health check",
    ...REASON,
    run: async (context) => {
      const [hostname = ""] = argumentsOf(context, "HOSTNAME");
      const where = `/devices/${encodeURIComponent(hostname)}/health-check`;
      const device = await context.client().json<DeviceView>("POST", where, reasonOf(context));
      context.terminal.say(`${hostname} is ${device.health}, until its health check has run`);
      return 0;
    },
  },
  historyCommand("devices history HOSTNAME", "what happened to a device", "devices", "HOSTNAME"),
  historyCommand("workers history NAME", "what happened to a worker", "workers", "NAME"),
  historyCommand("jobs history ID", "what happened to a job", "jobs", "ID"),
  healthCommand(
    "workers maintenance NAME",
    "let a worker's jobs end and begin no others, on none of its devices",
    "Maintenance",
  ),
  healthCommand(
    "workers activate NAME",
    "let a worker's devices have jobs again; those that have a health check begin with it",
    "Active",
  ),
  healthCommand("workers retire NAME", "retire a worker and its devices", "Retired"),
  {
    usage: "jobs priority ID PRIORITY",
    about: "change the priority of a job that waits: low, medium, high, or 0 to 100",
    run: setPriority,
  },
  {
    usage: "jobs fail ID",
    about: "end a job that is Canceling and whose worker does not stop it",
    ...REASON,
    run: async (context) => {
      const id = jobIdOf(context);
      const job = await context
        .client()
        .json<JobView>("POST", `/jobs/${id}/fail`, reasonOf(context));
      context.terminal.say(`Job ${id} is ${job.state}, ${job.health}`);
      return 0;
    },
  },
];

function historyCommand(usage: string, what: string, list: string, argument: string): Command {
  return {
    usage,
    about: `list ${what}, newest first: who changed what, when and why`,
    options: { ...JSON_OPTION, limit: { type: "string" } },
    help: ["--limit N           at most this many (100)", JSON_HELP],
    run: async (context) => {
      const [name = ""] = argumentsOf(context, argument);
      const { terminal, values } = context;
      const limit = countOf(values, "limit") ?? 100;
      const where = `/${list}/${encodeURIComponent(name)}/history?limit=${limit}`;
      const history = await context.client().json<History>("GET", where);
      if (values["json"]) terminal.out(JSON.stringify(history, undefined, 2));
      else {
        const head = ["TIME (UTC)", "WHO", "CHANGE", "REASON"];
        terminal.out(table(terminal, head, history.changes.map(rowOf)));
      }
      return 0;
    },
  };
}

const rowOf = ({ time, who, changed, reason }: ChangeView): string[] => [
  time.slice(0, 19).replace("T", " "),
  who,
  Object.entries(changed)
    .map(([field, [from, to]]) => `${field} ${from ?? "-"} → ${to ?? "-"}`)
    .join(", "),
  reason ?? "",
];

function healthCommand(usage: string, about: string, health: WorkerHealth): Command {
  return {
    usage,
    about,
    options: { ...REASON.options, wait: { type: "boolean" } },
    help: [...REASON.help, "--wait              until none of its devices has a job any more"],
    run: async (context) => {
      const [name = ""] = argumentsOf(context, "NAME");
      const where = `/workers/${encodeURIComponent(name)}/health`;
      const request = { health, ...reasonOf(context) };
      const worker = await context.client().json<WorkerView>("POST", where, request);
      const devices = worker.devices.length === 0 ? "it has no devices" : worker.devices.join(", ");
      context.terminal.say(printable(`${name} is ${worker.health}: ${devices}`));
      if (context.values["wait"]) await waitUntilEmpty(context, name);
      return 0;
    },
  };
}

async function setPriority(context: Context): Promise<number> {
  const [id = "", text = ""] = argumentsOf(context, "ID", "PRIORITY");
  const priority = /^\d{1,3}$/.test(text) ? Number(text) : text;
  if (!/^[1-9]\d{0,14}$/.test(id)) throw new UsageError(`${id} is no job number`);
  const job = await context.client().json<JobView>("PATCH", `/jobs/${id}`, { priority });
  context.terminal.say(`Job ${job.id} has priority ${job.priority}`);
  return 0;
}

function reasonOf({ values }: Context): { reason?: string } {
  const reason = textOf(values, "reason");
  return reason === undefined ? {} : { reason };
}
