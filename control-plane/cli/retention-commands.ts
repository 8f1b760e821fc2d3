import { mkdirSync, renameSync, writeFileSync } from "node:fs";
import path from "node:path";
import { gzipSync } from "node:zlib";
import type { JobView } from "#protocol/api.ts";
import type { Kept, RetentionStep } from "#protocol/retention.ts";
import {
  argumentsOf,
  JSON_HELP,
  JSON_OPTION,
  jobIdOf,
  textOf,
  UsageError,
  type Command,
  type Context,
} from "./command.ts";
import { printable } from "./printable.ts";
import { table } from "./terminal.ts";

export const retentionCommands: readonly Command[] = [
  {
    usage: "jobs keep ID",
    about: "have rules of retention leave a job alone (docs/results.md)",
    run: (context) => keep(context, "PUT"),
  },
  {
    usage: "jobs let-go ID",
    about: "keep a job no more",
    run: (context) => keep(context, "DELETE"),
  },
  {
    usage: "retention run",
    about: "remove now what the rules of the settings say; the lab itself does it by and by",
    options: { ...JSON_OPTION, "dry-run": { type: "boolean" } },
    help: ["--dry-run           only say what would be removed", JSON_HELP],
    run: runRetention,
  },
  {
    usage: "archive ID",
    about: "write a job to a folder that plain tools can read",
    options: { to: { type: "string" } },
    help: ["--to FOLDER         YYYY/MM/DD/ID/ is made in it (.)"],
    run: archive,
  },
];

async function keep(context: Context, method: "PUT" | "DELETE"): Promise<number> {
  const id = jobIdOf(context);
  const { by } = await context.client().json<Kept>(method, `/jobs/${id}/keep`);
  const who = by.length === 0 ? "nobody keeps it" : `kept by ${by.join(", ")}`;
  context.terminal.say(`Job ${id}: ${who}`);
  return 0;
}

async function runRetention(context: Context): Promise<number> {
  argumentsOf(context);
  const { terminal, values } = context;
  const client = context.client();
  const jobs: RetentionStep["jobs"] = [];
  let after: number | undefined;
  do {
    const body: object = {
      dry_run: values["dry-run"] === true,
      ...(after === undefined ? {} : { after }),
    };
    const step = await client.json<RetentionStep>("POST", "/retention/run", body);
    jobs.push(...step.jobs);
    after = step.next;
  } while (after !== undefined);
  if (values["json"]) terminal.out(JSON.stringify({ jobs }, undefined, 2));
  else {
    const rows = jobs.map(({ id, remove, rule, end_time = "", description }) => [
      ...[String(id), remove, String(rule), end_time.slice(0, 16).replace("T", " ")],
      printable(description),
    ]);
    terminal.out(table(terminal, ["JOB", "REMOVE", "RULE", "ENDED (UTC)", "DESCRIPTION"], rows));
    const what = values["dry-run"] ? "would be removed" : "were removed";
    terminal.say(`${jobs.length} jobs or logs ${what}`);
  }
  return 0;
}

/** The layout of archive-job.ts, by what everybody who may see a job can read. */
async function archive(context: Context): Promise<number> {
  const id = jobIdOf(context);
  const client = context.client("patient");
  const job = await client.json<JobView>("GET", `/jobs/${id}`);
  if (job.state !== "Finished") {
    throw new UsageError(`job ${id} is ${job.state}: archived is what has ended`);
  }
  const day = job.submit_time.slice(0, 10).split("-");
  const place = path.join(textOf(context.values, "to") ?? ".", ...day, String(job.id));
  mkdirSync(place, { recursive: true });
  const write = (name: string, content: string | Uint8Array): void => {
    const file = path.join(place, name);
    writeFileSync(`${file}.part`, content);
    renameSync(`${file}.part`, file);
  };
  write("definition.yaml", await client.text(`/jobs/${id}/definition`));
  if (!job.log_removed) {
    write("output.yaml.gz", gzipSync(await client.text(`/jobs/${id}/log?format=yaml`)));
  }
  write("results.json", await client.text(`/jobs/${id}/results.json`));
  write("job.json", `${JSON.stringify(job, undefined, 2)}\n`);
  context.terminal.out(place);
  return 0;
}
