import { randomUUID } from "node:crypto";
import { text as readStream } from "node:stream/consumers";
import { CAUSES } from "#protocol/annotations.ts";
import type { JobList, JobView, LogPage, ResultList, SubmitResponse } from "#protocol/api.ts";
import { placeText } from "#protocol/waits-text.ts";
import { EXPORT_FORMATS } from "#protocol/results.ts";
import { JOB_HEALTHS, JOB_STATES } from "#protocol/states.ts";
import { LOG_LEVELS } from "#protocol/log-record.ts";
import {
  argumentsOf,
  countOf,
  JSON_HELP,
  JSON_OPTION,
  jobIdOf,
  readNamedFile,
  refuseBoth,
  textOf,
  UsageError,
  type Command,
  type Context,
} from "./command.ts";
import { annotationText, attemptText, evidenceText, passedText } from "./job-end.ts";
import { dryRun } from "./dry-run.ts";
import { logText } from "./log-text.ts";
import { printable } from "./printable.ts";
import { resultTable } from "./results-table.ts";
import { tellingProblems } from "./telling-problems.ts";
import { table, type Colour } from "./terminal.ts";
import { followLog, printLog, watchJob } from "./watch.ts";

const ATTEMPT_OPTION = { attempt: { type: "string" } } as const;
const ATTEMPT_HELP =
  "--attempt N         of a job that went back to the queue; else its last attempt";

export const jobCommands: readonly Command[] = [
  {
    usage: "submit JOB.yaml",
    about: "put a job into the queue; - reads it from standard input",
    options: { ...JSON_OPTION, watch: { type: "boolean" }, "dry-run": { type: "boolean" } },
    help: [
      "--dry-run           store nothing: say what is wrong, which devices match and what a worker would do;",
      "                    exit 0 when a submission would be accepted, 2 when not",
      "--watch             follow the log; exit 0 Complete, 1 Incomplete, 3 Canceled",
      JSON_HELP,
    ],
    run: submit,
  },
  {
    usage: "watch ID",
    about: "follow a job's log to its end, then print its results",
    help: ["exits 0 when it is Complete, 1 Incomplete, 3 Canceled"],
    run: (context) => watchJob(context, jobIdOf(context)),
  },
  {
    usage: "jobs",
    about: "list jobs, newest first",
    options: {
      ...JSON_OPTION,
      state: { type: "string" },
      health: { type: "string" },
      device: { type: "string" },
      type: { type: "string" },
      limit: { type: "string" },
      cursor: { type: "string" },
    },
    help: [
      "--state STATE       Submitted, Scheduled, Running, Canceling or Finished",
      "--health HEALTH     Unknown, Complete, Incomplete or Canceled",
      "--device HOSTNAME, --type TYPE",
      "--limit N           at most this many (50); --cursor C goes on where a list ended",
      JSON_HELP,
    ],
    run: listJobs,
  },
  {
    usage: "show ID",
    about: "one job",
    options: { ...JSON_OPTION, ...ATTEMPT_OPTION },
    help: [ATTEMPT_HELP, JSON_HELP],
    run: showJob,
  },
  {
    usage: "logs ID",
    about: "print a job's log",
    options: {
      ...JSON_OPTION,
      ...ATTEMPT_OPTION,
      follow: { type: "boolean", short: "f" },
      level: { type: "string" },
    },
    help: [
      "-f, --follow        go on until the job is Finished",
      ATTEMPT_HELP,
      "--level LEVEL,...   only these, of " + LOG_LEVELS.join(", "),
      "--json              one record a line, as JSON",
    ],
    run: logs,
  },
  {
    usage: "results ID",
    about: "print a job's results",
    options: {
      ...JSON_OPTION,
      ...ATTEMPT_OPTION,
      junit: { type: "boolean" },
      format: { type: "string" },
      suite: { type: "string" },
    },
    help: [
      ATTEMPT_HELP,
      JSON_HELP,
      `--format FORMAT     print ${EXPORT_FORMATS.join(", ")}; --junit is --format junit`,
      "--suite NAME        only this suite, with --format",
    ],
    run: results,
  },
  {
    usage: "definition ID",
    about: "print a job's definition as it was submitted",
    run: async (context) => {
      const definition = await context.client().text(`/jobs/${jobIdOf(context)}/definition`);
      context.terminal.out(definition.replace(/\n$/, ""));
      return 0;
    },
  },
  {
    usage: "cancel ID",
    about: "cancel a job",
    run: async (context) => {
      const job = await context.client().json<JobView>("POST", `/jobs/${jobIdOf(context)}/cancel`);
      const health = job.state === "Finished" ? `, ${job.health}` : "";
      context.terminal.say(`Job ${job.id} is ${job.state}${health}`);
      return 0;
    },
  },
  {
    usage: "annotate ID TEXT",
    about: "write down what you found out about a job, for whoever looks at it",
    options: { cause: { type: "string" } },
    help: [`--cause CAUSE       what was at fault: ${CAUSES.join(", ")}`],
    run: annotate,
  },
];

async function annotate(context: Context): Promise<number> {
  const [id = "", text = ""] = argumentsOf(context, "ID", "TEXT");
  const cause = textOf(context.values, "cause");
  const body = { text, ...(cause === undefined ? {} : { cause }) };
  if (!/^[1-9]\d*$/.test(id)) throw new UsageError(`${id}: expected the number of a job`);
  await context.client().json("POST", `/jobs/${id}/annotations`, body);
  context.terminal.say(`Annotated job ${id}`);
  return 0;
}

async function submit(context: Context): Promise<number> {
  const { terminal, values } = context;
  const [file = ""] = argumentsOf(context, "JOB.yaml");
  const definition = file === "-" ? await readStream(process.stdin) : readNamedFile(file);
  const client = context.client();
  if (values["dry-run"]) return dryRun(context, file, definition);
  const answer = await tellingProblems(context, file, () =>
    client.send<SubmitResponse>("POST", "/jobs", definition, randomUUID()),
  );
  if (!answer) return 2;
  for (const warning of answer.warnings) terminal.say(`${file}: warning: ${printable(warning)}`);
  if (values["json"]) terminal.out(JSON.stringify(answer));
  else
    for (const id of answer.job_ids) terminal.out(`Submitted job ${id}: ${client.url}/jobs/${id}`);
  return values["watch"] ? watchJob(context, answer.job_ids[0] ?? 0) : 0;
}

const HEALTH_COLOURS: Partial<Record<string, Colour>> = {
  Complete: "green",
  Incomplete: "red",
  Canceled: "yellow",
};

async function listJobs(context: Context): Promise<number> {
  argumentsOf(context);
  const { terminal, values } = context;
  const query = new URLSearchParams();
  for (const [option, name] of [
    ["state", "state"],
    ["health", "health"],
    ["device", "device"],
    ["type", "device_type"],
    ["cursor", "cursor"],
  ] as const) {
    const value = textOf(values, option);
    if (value !== undefined) query.set(name, knownWord(option, value));
  }
  const limit = countOf(values, "limit");
  if (limit !== undefined) query.set("limit", String(limit));
  const list = await context.client().json<JobList>("GET", `/jobs?${query}`);
  if (values["json"]) terminal.out(JSON.stringify(list, undefined, 2));
  else {
    const rows = list.jobs.map((job) => [
      String(job.id),
      job.state,
      { text: job.health, colour: HEALTH_COLOURS[job.health] },
      job.device ?? job.device_type,
      job.submitter,
      job.submit_time.slice(0, 19).replace("T", " "),
      job.retried ? `${job.description} (attempt ${job.attempt})` : job.description,
    ]);
    const head = ["ID", "STATE", "HEALTH", "DEVICE", "SUBMITTER", "SUBMITTED (UTC)", "JOB"];
    terminal.out(table(terminal, head, rows));
    if (list.next_cursor) terminal.say(`There are more: --cursor ${list.next_cursor}`);
  }
  return 0;
}

const WORDS: Readonly<Record<string, readonly string[]>> = {
  state: JOB_STATES,
  health: JOB_HEALTHS,
};

/** Of an option that takes a few words, that word, however its letters are written. */
function knownWord(option: string, value: string): string {
  if (value === "") throw new UsageError(`--${option} is empty: leave it out for all jobs`);
  const words = WORDS[option];
  if (words === undefined) return value;
  const found = words.find((word) => word.toLowerCase() === value.toLowerCase());
  if (found === undefined) {
    throw new UsageError(`--${option} ${value}: expected ${words.join(", ")}`);
  }
  return found;
}

async function showJob(context: Context): Promise<number> {
  const { terminal, values } = context;
  const where = `/jobs/${jobIdOf(context)}${attemptQuery(context)}`;
  const job = await context.client().json<JobView>("GET", where);
  if (values["json"]) terminal.out(JSON.stringify(job, undefined, 2));
  else {
    const told = {
      ...job,
      ...(job.waits ? { waits: placeText(job.waits, Date.now()) } : {}),
      ...(job.evidence ? { evidence: evidenceText(job.evidence) } : {}),
      ...(job.passed_on_retry ? { passed_on_retry: job.passed_on_retry.map(passedText) } : {}),
      ...(job.earlier_attempts ? { earlier_attempts: job.earlier_attempts.map(attemptText) } : {}),
      ...(job.members ? { members: job.members.map((member) => member.id) } : {}),
      ...(job.annotations ? { annotations: job.annotations.map(annotationText) } : {}),
    };
    const rows = Object.entries(told).map(([key, value]) => [
      key,
      Array.isArray(value) ? value.join(", ") : String(value),
    ]);
    terminal.out(table(terminal, ["KEY", "VALUE"], rows));
  }
  return 0;
}

async function logs(context: Context): Promise<number> {
  const { terminal, values } = context;
  const levels = textOf(values, "level")?.split(",");
  const unknown = levels?.find((level) => !(LOG_LEVELS as readonly string[]).includes(level));
  if (unknown !== undefined) {
    throw new UsageError(`no level ${unknown || '""'}: expected ${LOG_LEVELS.join(", ")}`);
  }
  const id = jobIdOf(context);
  const attempt = attemptIn(context);
  const follow = values["follow"] === true;
  const print = (record: LogPage["records"][number]): void => {
    if (levels && !levels.includes(String(record["lvl"]))) return;
    terminal.out(values["json"] ? JSON.stringify(record) : logText(terminal, record));
  };
  if (follow && attempt === undefined) await followLog(context, id, print);
  else await printLog(context, id, { follow, attempt, print });
  return 0;
}

async function results(context: Context): Promise<number> {
  const { terminal, values } = context;
  const job = `/jobs/${jobIdOf(context)}`;
  const where = `${job}/results`;
  const suite = textOf(values, "suite");
  refuseBoth(values, "json", "junit", "format");
  const format = textOf(values, "format") ?? (values["junit"] ? "junit" : undefined);
  if (format !== undefined) {
    if (!EXPORT_FORMATS.some((known) => known === format)) {
      throw new UsageError(`--format ${format}: expected ${EXPORT_FORMATS.join(", ")}`);
    }
    const of = suite === undefined ? job : `${job}/suites/${encodeURIComponent(suite)}`;
    const query = attemptQuery(context);
    terminal.out((await context.client().text(`${of}/results.${format}${query}`)).trimEnd());
    return 0;
  }
  if (suite !== undefined) throw new UsageError("--suite goes with --format");
  const list = await context.client().json<ResultList>("GET", where + attemptQuery(context));
  if (values["json"]) terminal.out(JSON.stringify(list, undefined, 2));
  else terminal.out(resultTable(terminal, list.results));
  return 0;
}

/** Undefined when no attempt was named. */
function attemptIn({ values }: Context): number | undefined {
  const text = textOf(values, "attempt");
  if (text === undefined) return undefined;
  if (/^[1-9]\d{0,2}$/.test(text)) return Number(text);
  throw new UsageError(`--attempt ${text}: expected the number of an attempt, from 1`);
}

/** `?attempt=1`; empty when there is nothing to ask for. */
function attemptQuery(context: Context): string {
  const attempt = attemptIn(context);
  return attempt === undefined ? "" : `?attempt=${attempt}`;
}
