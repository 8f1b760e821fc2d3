import type { Console } from "../console/console.ts";
import { JobFailure } from "../pipeline/job-failure.ts";
import { kernelReportsOf } from "./console-kernel.ts";
import { isDump, kernelTexts } from "./kernel-text.ts";
import type { KernelReport } from "./open-report.ts";

export interface DeathWatch {
  /** Whether the kernel panicked and nothing was heard of the tests since. */
  readonly hasDied: boolean;
  /** Aborts when the given one does, and when the kernel is taken for dead: the reason is the JobFailure. */
  readonly signal: AbortSignal;
  /**
   * A signal of the tests arrived intact, in this line of the log: what died before it was a guest of the DUT, which lives.
   * It may be read long after it came, and a panic behind it as well.
   */
  alive(logLine?: number): void;
  /**
   * What a failure of the tests comes from: the panic, if one was seen and no sign of life after it. The failure of a DUT that
   * has reset has that for evidence.
   */
  causeOf(error: unknown): unknown;
  close(): void;
}

/**
 * Watches a console on which tests run for a kernel that dies: it panicked, and for so long no test has reported
 * anything, and nothing else was said but by the kernel. A test's own guests may panic, too: hence the patience.
 */
export function watchForDeath(
  console: Console,
  signal: AbortSignal,
  quietSeconds = 30,
): DeathWatch {
  const dead = new AbortController();
  const reports = kernelReportsOf(console);
  let panic: KernelReport | undefined;
  let timer: NodeJS.Timeout | undefined;
  let hasReset = false;
  let unwatch = (): void => {};
  const forget = (): void => {
    clearTimeout(timer);
    unwatch();
    panic = undefined;
    hasReset = false;
  };
  const beginToDoubt = (report: KernelReport): void => {
    if (panic) return;
    panic = report;
    timer = setTimeout(
      () => dead.abort(deathOf(report, `nothing was heard of the tests for ${quietSeconds} s`)),
      quietSeconds * 1000,
    );
    unwatch = console.watchLines((lines) => {
      if (!lines.every(isOfKernel)) timer?.refresh();
    });
  };
  reports.testsRun = true;
  reports.onPanic = beginToDoubt;
  // Between the login, or the tests before, and these.
  if (reports.panic) beginToDoubt(reports.panic);
  // It boots, and may do so again and again: what it says is no sign of life of the tests.
  reports.onReset = () => {
    if (!panic || hasReset) return;
    hasReset = true;
    unwatch();
    timer?.refresh();
  };
  return {
    get hasDied() {
      return panic !== undefined;
    },
    signal: AbortSignal.any([signal, dead.signal]),
    alive: (logLine = Infinity) => {
      if (panic && panic.firstLine < logLine) {
        forget();
        reports.forgetPanic();
      }
      reports.forgetResets(logLine);
    },
    causeOf: (error) => {
      const { reset } = reports;
      if (error === dead.signal.reason || !isOfDeadDut(error)) return error;
      if (panic) return deathOf(panic, error.message);
      return reset ? error.shownBy({ pattern: reset.pattern, line: reset.firstLine }) : error;
    },
    close: () => {
      forget();
      reports.testsRun = false;
      reports.onPanic = undefined;
      reports.onReset = undefined;
    },
  };
}

/** A kernel's panic is a result of the kernel under test, whatever became of its console (DISPATCHER.md 9). */
const deathOf = ({ message, firstLine, pattern }: KernelReport, after: string): JobFailure =>
  new JobFailure("Job", `${message} (then: ${after})`, {
    evidence: { pattern, line: firstLine },
  });

/** A console that closed, a time that is over; not the wish of a user, nor a fault of ours. */
const isOfDeadDut = (error: unknown): error is JobFailure =>
  error instanceof JobFailure &&
  ["Infrastructure", "Job", "LAVATimeout", "Test"].includes(error.type);

const isOfKernel = (line: string): boolean =>
  kernelTexts(line).every(({ text, seconds }) => seconds !== undefined || isDump(text));
