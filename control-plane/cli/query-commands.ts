import type {
  ChangedCases,
  Comparison,
  FlakyList,
  QueryAnswer,
  QueryView,
} from "#protocol/queries.ts";
import type { Condition } from "#protocol/saved-query.ts";
import {
  argumentsOf,
  countOf,
  JSON_HELP,
  JSON_OPTION,
  textOf,
  UsageError,
  type Command,
  type Context,
} from "./command.ts";
import { printList } from "./print-list.ts";
import { printable } from "./printable.ts";
import { RESULT_COLOURS } from "./results-table.ts";
import { table, type Cell } from "./terminal.ts";

/** What is asked about: a saved query, or conditions. */
export const QUESTION_OPTIONS = { query: { type: "string" }, where: { type: "string" } } as const;
export const QUESTION_HELP = [
  "--query OWNER/NAME  the jobs of a saved query; --where narrows them down",
  "--where CONDITIONS  health__Incomplete,testcase__name__icontains__usb (docs/results.md)",
];

export const queryCommands: readonly Command[] = [
  {
    usage: "queries",
    about: "list saved queries: yours, your groups' and published ones (docs/results.md)",
    options: JSON_OPTION,
    help: [JSON_HELP],
    run: (context) =>
      printList<QueryView>(
        context,
        "/queries",
        "queries",
        ["QUERY", "ENTITY", "SHARED", "CONDITIONS"],
        (query) => [
          `${query.owner}/${query.name}`,
          query.entity,
          query.published ? "everybody" : (query.group ?? ""),
          printable(query.conditions.map(conditionText).join(",")),
        ],
      ),
  },
  {
    usage: "queries show OWNER/NAME",
    about: "one query, as JSON",
    run: async (context) => {
      const where = queryPath(argumentsOf(context, "OWNER/NAME")[0] ?? "");
      const query = await context.client().json<QueryView>("GET", where);
      context.terminal.out(JSON.stringify(query, undefined, 2));
      return 0;
    },
  },
  {
    usage: "queries add OWNER/NAME",
    about: "save a query, or replace it",
    options: {
      where: { type: "string" },
      entity: { type: "string" },
      limit: { type: "string" },
      description: { type: "string" },
      group: { type: "string" },
      published: { type: "boolean" },
    },
    help: [
      QUESTION_HELP[1] ?? "",
      "--entity ENTITY     rows are testjob (default), testsuite or testcase",
      "--limit N           rows of an answer (200)",
      "--description TEXT",
      "--published         everybody may use it; --group GROUP: its members may use and change it",
    ],
    run: addQuery,
  },
  {
    usage: "queries run [OWNER/NAME]",
    about: "the newest jobs, suites or cases that fit",
    options: {
      ...JSON_OPTION,
      where: { type: "string" },
      entity: { type: "string" },
      limit: { type: "string" },
      cursor: { type: "string" },
    },
    help: [
      "--where CONDITIONS  in place of a saved query",
      "--entity ENTITY     with --where: testjob, testsuite or testcase",
      "--limit N, --cursor C",
      JSON_HELP,
    ],
    run: runQuery,
  },
  {
    usage: "queries remove OWNER/NAME",
    about: "remove a saved query",
    run: async (context) => {
      const [name = ""] = argumentsOf(context, "OWNER/NAME");
      await context.client().json("DELETE", queryPath(name));
      context.terminal.say(`${name} is removed`);
      return 0;
    },
  },
  {
    usage: "compare BEFORE AFTER",
    about: "what changed between two jobs, or two builds: 12,13 14,15; exits 1 on a regression",
    options: JSON_OPTION,
    help: [JSON_HELP],
    run: compare,
  },
  {
    usage: "flaky",
    about: "tests whose result changes within one build, the worst first",
    options: {
      ...JSON_OPTION,
      ...QUESTION_OPTIONS,
      jobs: { type: "string" },
      by: { type: "string" },
    },
    help: [
      ...QUESTION_HELP,
      "--jobs N            newest jobs that are looked at (100)",
      "--by A,B            attributes of the definition that name a build; else all of them",
      JSON_HELP,
    ],
    run: flaky,
  },
];

async function addQuery(context: Context): Promise<number> {
  const { values, terminal } = context;
  const [name = ""] = argumentsOf(context, "OWNER/NAME");
  const text = (option: string) => textOf(values, option);
  const limit = countOf(values, "limit");
  const body = {
    ...{ entity: text("entity"), description: text("description"), group: text("group") },
    ...{ conditions: text("where") ?? "", published: values["published"] === true },
    ...(limit === undefined ? {} : { limit }),
  };
  await context.client().json("PUT", queryPath(name), body);
  terminal.say(`${name} is saved: pumice queries run ${name}`);
  return 0;
}

async function runQuery(context: Context): Promise<number> {
  const { values, positionals, terminal } = context;
  const asked = query(context, {
    where: "conditions",
    entity: "entity",
    limit: "limit",
    cursor: "cursor",
  });
  const name = positionals[0];
  if (name === undefined && textOf(values, "where") === undefined) {
    throw new UsageError("expected OWNER/NAME, or --where CONDITIONS");
  }
  if (name !== undefined) argumentsOf(context, "OWNER/NAME");
  const where = name === undefined ? "/queries/run" : `${queryPath(name)}/run`;
  const answer = await context.client().json<QueryAnswer>("GET", `${where}?${asked}`);
  if (values["json"]) terminal.out(JSON.stringify(answer, undefined, 2));
  else {
    const head = ["JOB", "HEALTH", "DEVICE", "SUBMITTED (UTC)", ...HEADS[answer.entity]];
    terminal.out(table(terminal, head, answer.rows.map(rowOf)));
    tellHowFar(context, answer);
  }
  return 0;
}

const HEADS = {
  testjob: ["DESCRIPTION"],
  testsuite: ["SUITE", "PASS", "FAIL", "SKIP", "UNKNOWN"],
  testcase: ["SUITE", "CASE", "RESULT", "MEASUREMENT"],
} as const;

function rowOf({ job, suite, case: one }: QueryAnswer["rows"][number]): Cell[] {
  const head = [
    String(job.id),
    job.health,
    job.device ?? job.device_type,
    timeText(job.submit_time),
  ];
  if (suite) {
    const { name, pass, fail, skip, unknown } = suite;
    return [...head, printable(name), ...[pass, fail, skip, unknown].map(String)];
  }
  if (!one) return [...head, printable(job.description)];
  const measured = one.measurement === undefined ? "" : `${one.measurement} ${one.units ?? ""}`;
  return [
    ...[...head, printable(one.suite), printable(nameOf(one))],
    { text: one.result, colour: RESULT_COLOURS[one.result] },
    printable(measured.trim()),
  ];
}

async function compare(context: Context): Promise<number> {
  const { terminal, values } = context;
  const [before = "", after = ""] = argumentsOf(context, "BEFORE", "AFTER");
  const where = `/compare?${new URLSearchParams({ before, after })}`;
  const answer = await context.client().json<Comparison>("GET", where);
  const code = answer.regressions.count > 0 ? 1 : 0;
  if (values["json"]) {
    terminal.out(JSON.stringify(answer, undefined, 2));
    return code;
  }
  const rows = (["regressions", "fixed", "changed", "added", "removed"] as const).flatMap((kind) =>
    rowsOf(kind, answer[kind]),
  );
  const measured = answer.measurements.cases.map((one) => [
    ...["measurement", printable(one.suite), printable(nameOf(one)), one.before, one.after],
    one.percent === undefined ? "" : `${one.percent > 0 ? "+" : ""}${one.percent} %`,
  ]);
  const head = ["CHANGE", "SUITE", "CASE", "BEFORE", "AFTER", ""];
  if (rows.length + measured.length > 0)
    terminal.out(table(terminal, head, [...rows, ...measured]));
  terminal.say(
    `${answer.same} tests have the same result, ${answer.regressions.count} are regressions`,
  );
  return code;
}

const WORDS = {
  regressions: "regression",
  fixed: "fixed",
  changed: "changed",
  added: "added",
  removed: "removed",
};

const rowsOf = (kind: keyof typeof WORDS, { cases, count }: ChangedCases): Cell[][] => [
  ...cases.map((one) => [
    ...[WORDS[kind], printable(one.suite), printable(nameOf(one))],
    ...[one.before ?? "", one.after ?? "", ""],
  ]),
  ...(count > cases.length ? [[WORDS[kind], "", `${count - cases.length} more`, "", "", ""]] : []),
];

/** As on the page of tests: of a few runs a percentage would say too much. */
const flakiness = ({ score, chances }: FlakyList["tests"][number]): string =>
  chances < 5 ? "too few runs" : `${Math.round(score * 100)} %`;

async function flaky(context: Context): Promise<number> {
  argumentsOf(context);
  const { terminal, values } = context;
  const asked = query(context, { query: "query", where: "conditions", jobs: "jobs", by: "by" });
  const answer = await context.client().json<FlakyList>("GET", `/flaky?${asked}`);
  if (values["json"]) terminal.out(JSON.stringify(answer, undefined, 2));
  else {
    const rows = answer.tests.map((test) => [
      ...[printable(test.suite), printable(nameOf(test)), printable(test.device_type)],
      ...[flakiness(test), String(test.flips), String(test.pass)],
      ...[String(test.fail), test.jobs.join(", ")],
    ]);
    const head = ["SUITE", "CASE", "DEVICE TYPE", "SCORE", "FLIPS", "PASS", "FAIL", "JOBS"];
    terminal.out(table(terminal, head, rows));
    tellHowFar(context, answer);
  }
  return 0;
}

/** Options that were given, under their names in the query string. */
export function query(
  { values }: Context,
  names: Readonly<Record<string, string>>,
): URLSearchParams {
  const asked = new URLSearchParams();
  for (const [option, name] of Object.entries(names)) {
    const value = option === "limit" ? countOf(values, option) : textOf(values, option);
    if (value !== undefined) asked.set(name, String(value));
  }
  return asked;
}

/** Says how far an answer looked when there is more. */
export function tellHowFar(
  { terminal }: Context,
  answer: { looked_at: number; next_cursor?: string | undefined; oldest?: number | undefined },
) {
  if (answer.next_cursor === undefined) return;
  const { looked_at, oldest, next_cursor } = answer;
  terminal.say(
    `Looked at ${looked_at} jobs, back to ${oldest}; older ones: --cursor ${next_cursor}`,
  );
}

function queryPath(text: string): string {
  const [owner = "", name = "", ...rest] = text.split("/");
  if (owner === "" || name === "" || rest.length > 0)
    throw new UsageError(`${text} is no OWNER/NAME`);
  return `/queries/${encodeURIComponent(owner)}/${encodeURIComponent(name)}`;
}

const conditionText = ({ table: of, field, operator, value }: Condition): string =>
  `${of}__${field}__${operator}__${value}`;
const nameOf = ({ set, name }: { set?: string | undefined; name: string }): string =>
  set === undefined ? name : `${set}/${name}`;
/** To the minute. */
export const timeText = (iso: string): string => iso.slice(0, 16).replace("T", " ");
