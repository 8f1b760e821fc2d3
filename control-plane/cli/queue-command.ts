import type { DeviceTypeView } from "#protocol/api.ts";
import type { Queue } from "#protocol/queue.ts";
import { JSON_HELP, JSON_OPTION, UsageError, type Command, type Context } from "./command.ts";
import { printable } from "./printable.ts";
import { table } from "./terminal.ts";

export const queueCommand: Command = {
  usage: "queue [TYPE]",
  about:
    "what waits for a device type, the next job first, and why; without TYPE for all that have a queue",
  options: JSON_OPTION,
  help: [JSON_HELP],
  run: async (context) => {
    const { terminal, values, positionals } = context;
    if (positionals.length > 1) throw new UsageError(`unexpected argument ${positionals[1]}`);
    const types = positionals[0] === undefined ? await waitedFor(context) : [positionals[0]];
    const queues: Queue[] = [];
    for (const type of types) {
      const where = `/queue?device_type=${encodeURIComponent(type)}`;
      queues.push(await context.client().json<Queue>("GET", where));
    }
    if (values["json"]) terminal.out(JSON.stringify({ queues }, undefined, 2));
    else if (queues.length === 0) terminal.say("No job waits.");
    else for (const queue of queues) print(context, queue);
    return 0;
  },
};

async function waitedFor(context: Context): Promise<string[]> {
  const names: string[] = [];
  for (let cursor: string | undefined = ""; cursor !== undefined;) {
    const query = cursor === "" ? "" : `?cursor=${encodeURIComponent(cursor)}`;
    const page: { device_types: DeviceTypeView[]; next_cursor?: string } = await context
      .client()
      .json("GET", `/device-types${query}`);
    names.push(...page.device_types.filter(({ queued }) => queued > 0).map(({ name }) => name));
    cursor = page.next_cursor;
  }
  return names;
}

function print({ terminal }: Context, { device_type, jobs, waiting, more }: Queue): void {
  terminal.out(`${device_type}: ${more ? "more than " : ""}${waiting} waiting`);
  const rows = jobs.map((job) => [
    String(job.position),
    String(job.id),
    String(job.priority),
    job.submitter,
    job.submit_time.slice(0, 16).replace("T", " "),
    printable(job.description),
    printable(job.waits_for),
  ]);
  const head = ["", "ID", "PRIORITY", "SUBMITTER", "SUBMITTED (UTC)", "JOB", "WAITS FOR"];
  if (rows.length > 0) terminal.out(table(terminal, head, rows));
}
