import type { SourceProblem } from "#protocol/api.ts";
import type { DryRun, DryRunJob } from "#protocol/dry-run.ts";
import type { PlannedStep } from "#protocol/plan.ts";
import { placeText } from "#protocol/waits-text.ts";
import type { Context } from "./command.ts";
import { printable } from "./printable.ts";
import { table, type Colour, type Terminal } from "./terminal.ts";

const FITS = { free: "free", later: "not now", no: "no" } as const;
const COLOURS: { readonly [F in keyof typeof FITS]: Colour } = {
  free: "green",
  later: "yellow",
  no: "red",
};

/** Says what a submission of the file would do; exits 0 when it would be accepted, 2 when not. */
export async function dryRun(context: Context, file: string, definition: string): Promise<number> {
  const { terminal, values } = context;
  const answer = await context.client().send<DryRun>("POST", "/jobs/dry-run", definition);
  if (values["json"]) {
    terminal.out(JSON.stringify(answer, undefined, 2));
    return answer.accepted ? 0 : 2;
  }
  for (const problem of answer.problems) terminal.say(problemLine(file, problem));
  for (const warning of answer.warnings) terminal.say(problemLine(file, warning, "warning: "));
  for (const note of answer.notes) terminal.say(`${file}: warning: ${printable(note)}`);
  if (answer.quota !== undefined) terminal.say(`${file}: ${printable(answer.quota)}`);
  for (const job of answer.jobs) tellJob(terminal, job);
  terminal.say(`${file}: ${answer.accepted ? "would be accepted" : "would be refused"}`);
  return answer.accepted ? 0 : 2;
}

const problemLine = (
  file: string,
  { line, column, path, message }: SourceProblem,
  what = "",
): string => printable(`${file}:${line}:${column}: ${what}${path ? `${path}: ` : ""}${message}`);

function tellJob(terminal: Terminal, job: DryRunJob): void {
  const { role, count, host_role, device_type, devices, waits, plan } = job;
  if (role !== undefined) {
    const where = host_role === undefined ? `on ${device_type}` : `beside role ${host_role}`;
    terminal.out(printable(`role ${role}: ${count} ${where}`));
  }
  if (devices.length > 0) {
    const rows = devices.map(({ hostname, worker, fit, why = "" }) => [
      hostname,
      worker,
      { text: FITS[fit], colour: COLOURS[fit] },
      printable(why),
    ]);
    terminal.out(table(terminal, ["DEVICE", "WORKER", "FITS", "WHY NOT"], rows));
    if (job.more_devices) terminal.out(`these are the first of the devices of ${device_type}`);
  }
  const place = waits && placeText({ reasons: [], ...waits }, Date.now());
  if (place) terminal.out(place);
  if (!plan) return;
  terminal.out(`\nplan on ${plan.device}`);
  if (plan.problem !== undefined) terminal.out(`none: ${printable(plan.problem)}`);
  for (const line of planLines(plan.steps ?? [])) terminal.out(line);
}

function planLines(steps: readonly PlannedStep[], depth = 0): string[] {
  return steps.flatMap(
    ({ level, name, strategy, attempts, timeout_seconds, steps: inner = [] }) => [
      [
        `${level.padEnd(10)} ${"  ".repeat(depth)}${name}`,
        ...(strategy === undefined ? [] : [`[${strategy}]`]),
        ...(attempts === undefined ? [] : [`${attempts} tries`]),
        `${timeout_seconds} s`,
      ].join("  "),
      ...planLines(inner, depth + 1),
    ],
  );
}
