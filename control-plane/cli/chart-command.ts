import type { Chart } from "#protocol/queries.ts";
import {
  argumentsOf,
  JSON_HELP,
  JSON_OPTION,
  textOf,
  UsageError,
  type Command,
  type Context,
} from "./command.ts";
import { printable } from "./printable.ts";
import { query, QUESTION_HELP, QUESTION_OPTIONS, tellHowFar, timeText } from "./query-commands.ts";
import { table } from "./terminal.ts";

/** `pumice chart`: of a saved query or of conditions (docs/results.md). */
export const chartCommand: Command = {
  usage: "chart [CASE]",
  about: "pass rate of jobs over time, or with CASE a measurement",
  options: {
    ...JSON_OPTION,
    ...QUESTION_OPTIONS,
    suite: { type: "string" },
    limit: { type: "string" },
    omit: { type: "string" },
    "group-by": { type: "string" },
    target: { type: "string" },
  },
  help: [
    ...QUESTION_HELP,
    "--suite NAME, --limit N",
    "--omit 12,13        jobs to leave out",
    "--group-by NAME     with what each job has of this attribute (metadata)",
    "--target NUMBER     what it should be at least: mark what is below",
    JSON_HELP,
  ],
  run: chart,
};

async function chart(context: Context): Promise<number> {
  const { terminal, values, positionals } = context;
  const [name] = positionals;
  if (positionals.length > 0) argumentsOf(context, "CASE");
  const asked = query(context, {
    query: "query",
    where: "conditions",
    suite: "suite",
    limit: "limit",
    omit: "omit",
    "group-by": "group_by",
  });
  const target = targetIn(context);
  if (name !== undefined) asked.set("case", name);
  const kind = name === undefined ? "pass-rate" : "measurement";
  const answer = await context.client().json<Chart>("GET", `/charts/${kind}?${asked}`);
  if (values["json"]) terminal.out(JSON.stringify(answer, undefined, 2));
  else {
    const unit = name === undefined ? "%" : (answer.units ?? "");
    const isGrouped = values["group-by"] !== undefined;
    const rows = answer.points.map(({ job, time, value, exact, group = "" }) => [
      ...[String(job), timeText(time), printable(`${exact ?? value} ${unit}`.trim())],
      ...(isGrouped ? [printable(group)] : []),
      ...(target === undefined ? [] : [value < target ? "below" : ""]),
    ]);
    const head = ["JOB", "ENDED (UTC)", "VALUE"];
    if (isGrouped) head.push(textOf(values, "group-by")?.toUpperCase() ?? "");
    if (target !== undefined) head.push(`TARGET ${target}`);
    terminal.out(table(terminal, head.map(printable), rows));
    tellHowFar(context, answer);
  }
  return 0;
}

function targetIn({ values }: Context): number | undefined {
  const text = textOf(values, "target");
  if (text === undefined) return undefined;
  if (/^-?\d+(\.\d+)?$/.test(text)) return Number(text);
  throw new UsageError("--target: expected a number");
}
