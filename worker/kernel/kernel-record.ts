import type { Console } from "../console/console.ts";
import type { RunContext } from "../pipeline/action.ts";
import { kernelReportsOf } from "./console-kernel.ts";
import { watchForDeath, type DeathWatch } from "./death-watch.ts";
import type { TakenReports } from "./kernel-reports.ts";
import type { KernelReport } from "./open-report.ts";

/** A record has room for more, but not for all reports of a kernel that never stops to complain. */
const MAX_CHARS = 60_000;

/**
 * Runs tests on a console while its kernel is watched. What the kernel reported is recorded at their end as
 * `kernel-messages`, in the form that LAVA has for a login (DISPATCHER.md 9) with more fields, and only when it did.
 *
 * @throws JobFailure Job when the kernel panicked and the tests were not heard of again; else as `run`.
 */
export async function withKernelWatch(
  context: RunContext,
  console: Console,
  run: (watch: Pick<DeathWatch, "signal" | "alive">) => Promise<void>,
): Promise<void> {
  const watch = watchForDeath(console, context.signal);
  const started = performance.now();
  let result = "pass";
  try {
    await run(watch);
  } catch (error) {
    if (watch.hasDied) result = "fail";
    throw watch.causeOf(error);
  } finally {
    watch.close();
    recordReports(context, kernelReportsOf(console).take(), { started, result });
  }
}

/**
 * As `withKernelWatch` for what a panic does not end: tests that look at the console themselves, and may want one, or that
 * run beside the DUT. Without a console, just `run`.
 */
export async function withKernelRecord(
  context: RunContext,
  console: Console | undefined,
  run: () => Promise<void>,
): Promise<void> {
  const started = performance.now();
  try {
    await run();
  } finally {
    const taken = console && kernelReportsOf(console).take();
    const isDead = taken?.reports.some(({ kind }) => kind === "panic");
    if (taken) recordReports(context, taken, { started, result: isDead ? "fail" : "pass" });
  }
}

function recordReports(
  { log, level }: RunContext,
  taken: TakenReports,
  { started, result }: { started: number; result: string },
): void {
  if (taken.reports.length === 0) return;
  log.result({
    definition: "lava",
    case: "kernel-messages",
    level,
    duration: ((performance.now() - started) / 1000).toFixed(2),
    result,
    extra: reportsAsExtra(taken),
  });
}

/** For a record: each report as `{kind, message, lines, first_line, last_line}`, numbers being those of lines in the log. */
export function reportsAsExtra({ reports, omitted }: TakenReports): Record<string, unknown> {
  let room = MAX_CHARS;
  return {
    extra: reports.map((report) => {
      const entry = asEntry(report);
      room -= JSON.stringify(entry).length;
      return room > 0 ? entry : { ...entry, lines: [], omitted_lines: linesOf(report) };
    }),
    ...(omitted > 0 ? { omitted } : {}),
  };
}

const asEntry = (report: KernelReport): Record<string, unknown> => ({
  kind: report.kind,
  message: report.message,
  lines: report.lines,
  first_line: report.firstLine,
  last_line: report.lastLine,
  ...(report.omittedLines > 0 ? { omitted_lines: report.omittedLines } : {}),
  ...(report.cut ? { cut: true } : {}),
});

const linesOf = ({ lines, omittedLines }: KernelReport): number => lines.length + omittedLines;
