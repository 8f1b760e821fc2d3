import { clipped, isDump, kernelTexts, SPEAKER, type KernelText } from "./kernel-text.ts";
import { OpenReport, type KernelReport } from "./open-report.ts";
import { MAY_BE_HEAD, PANIC_END, START_OF_SYSTEM } from "./report-heads.ts";
import { REPORT_HEADS, type ReportHead } from "./report-heads.ts";
import { SeenHeads } from "./seen-heads.ts";

/** A report that stands still for so many lines of the console is over. */
const MAX_IDLE_LINES = 300;
const MAX_OPEN = 16;
/** Reports that are kept until somebody takes them; of more, there is only a number. */
const MAX_KEPT = 50;

export interface TakenReports {
  readonly reports: readonly KernelReport[];
  /** How many more there were. */
  readonly omitted: number;
}

/**
 * Finds what a kernel in trouble says (panics, oopses, warnings, lockups, sanitizers ...) in the lines of a console, fed
 * one by one, in constant memory. Reports of several CPUs may overlap: a line goes to the one of its caller or CPU where
 * the kernel tells it, else to the one that spoke last. What is printed again with its old time (`dmesg`) counts once.
 */
export class KernelReports {
  /** Told of a panic at its first line. */
  onPanic: ((report: KernelReport) => void) | undefined;
  /** Told, while tests run, of a start of the system that the DUT had booted. */
  onReset: (() => void) | undefined;
  /** While tests run, a system that starts again is a report, too: its DUT has reset. */
  testsRun = false;
  #isIgnoring = false;
  #open: OpenReport[] = [];
  #kept: KernelReport[] = [];
  #omitted = 0;
  #lines = 0;
  #panic: KernelReport | undefined;
  readonly #seen = new SeenHeads();
  /** Of the kernel that was booted last. */
  #banner: string | undefined;

  /** `ignore_kernel_messages`: nothing is looked at while it is set. */
  set isIgnoring(isIgnoring: boolean) {
    this.#isIgnoring = isIgnoring;
    if (isIgnoring) this.#open = [];
  }

  /** Takes the next lines of the console, which have these numbers in the log. */
  addAll(lines: readonly string[], logLines: readonly number[]): void {
    // Of nearly all that a console says: one look is enough for all of it.
    if (this.#open.length === 0 && !MAY_BE_HEAD.test(lines.join("\n"))) return;
    lines.forEach((line, n) => this.add(line, logLines[n] ?? 0));
  }

  /** Takes the next line of the console, which has this number in the log. */
  add(line: string, logLine: number): void {
    if ((this.#open.length === 0 && !MAY_BE_HEAD.test(line)) || this.#isIgnoring) return;
    this.#lines++;
    for (const text of kernelTexts(line)) this.#take(text, logLine);
    for (const report of this.#open) {
      if (this.#lines - report.lastSeen > MAX_IDLE_LINES) this.#close(report, report.hasEnd);
    }
  }

  /** All reports since the last call, in the order of their first lines; those that were still open end here. */
  take(): TakenReports {
    this.#closeAll();
    const taken = {
      reports: this.#kept.toSorted((one, other) => one.firstLine - other.firstLine),
      omitted: this.#omitted,
    };
    this.#kept = [];
    this.#omitted = 0;
    return taken;
  }

  /** The last panic since the system started, unless somebody knows that it was another's. */
  get panic(): KernelReport | undefined {
    return this.#isIgnoring ? undefined : this.#panic;
  }

  /** The DUT lives, or starts anew. */
  forgetPanic(): void {
    this.#panic = undefined;
  }

  /** As `panic`, but while tests run it may be that of a guest, and death-watch.ts knows more. */
  get causeOfDeath(): KernelReport | undefined {
    return this.testsRun ? undefined : this.panic;
  }

  /** The last start of a system while tests ran, of those not taken or forgotten. */
  get reset(): KernelReport | undefined {
    return this.#kept.findLast(({ kind }) => kind === RESET);
  }

  /** The DUT lives at this line of the log, so a system that seemed to start again before it was another one: a guest of the DUT, or an old log. */
  forgetResets(before: number): void {
    this.#kept = this.#kept.filter(({ kind, firstLine }) => kind !== RESET || firstLine > before);
  }

  #take(text: KernelText, logLine: number): void {
    if (START_OF_SYSTEM.test(text.text)) return this.#systemStarts(text, logLine);
    if (PANIC_END.test(text.text)) return this.#panicEnds(text, logLine);
    const found = headOf(text);
    if (!found) return this.#body(text, logLine);
    const { head, cpu } = found;
    const continued = this.#continued(text, head);
    if (continued) {
      this.#seen.isRepeated(text);
      continued.decide(head, text, cpu);
      return this.#append(continued, text, logLine);
    }
    this.#begin(head, text, { logLine, cpu });
  }

  #systemStarts(text: KernelText, logLine: number): void {
    this.#closeAll();
    this.#seen.clockStarts();
    const isKernel = text.text.startsWith("Linux");
    if (!this.testsRun) {
      this.#panic = undefined;
      if (isKernel) this.#banner = clipped(text.text);
      return;
    }
    this.#begin({ kind: RESET, start: START_OF_SYSTEM }, text, { logLine, cpu: undefined });
    this.#closeAll();
    // Tests may boot guests with other kernels.
    if (!isKernel || text.text.startsWith(this.#banner ?? "")) this.onReset?.();
  }

  #panicEnds(text: KernelText, logLine: number): void {
    const open = this.#newest(text, (report) => report.isEnd(text.text));
    const head = REPORT_HEADS.find(({ kind }) => kind === "panic");
    const report = open ?? (head && this.#begin(head, text, { logLine, cpu: undefined }));
    if (!report) return;
    if (open) this.#append(open, text, logLine);
    this.#close(report, false);
  }

  /** The open report whose next part a head is, rather than a report's first line. */
  #continued({ text, ...from }: KernelText, { kind, role }: ReportHead): OpenReport | undefined {
    const of = { text, ...from };
    if (role === "frame") return this.#newest(of, (report) => report.awaitsFrame);
    if (role === "detail") return this.#newest(of, (report) => report.isUndecided);
    if (role !== "death") return undefined;
    const dying = this.#newest(of, (report) => report.awaitsDeath);
    return dying ?? (kind === "panic" ? undefined : this.#newest(of, (one) => one.isUndecided));
  }

  #begin(
    head: ReportHead,
    text: KernelText,
    { logLine, cpu }: { logLine: number; cpu: string | undefined },
  ): OpenReport | undefined {
    const isOpen = this.#open.some(({ firstRaw }) => firstRaw === text.raw);
    if (this.#seen.isRepeated(text) && !isOpen) return undefined;
    if (this.#open.length >= MAX_OPEN) this.#close(this.#open[0], true);
    const report = new OpenReport(head, text, { logLine, cpu });
    report.lastSeen = this.#lines;
    this.#open.push(report);
    if (head.kind === "panic" && !this.#seen.isOld(text)) {
      this.#panic = report.report();
      this.onPanic?.(this.#panic);
    }
    return report;
  }

  #body(text: KernelText, logLine: number): void {
    const report = this.#speaker(text);
    if (!report) return;
    const isEnd = report.isEnd(text.text);
    if (!report.hasEnd && report.isStranger(text.text)) {
      return report.isOver ? this.#close(report, false) : undefined;
    }
    this.#append(report, text, logLine);
    if (isEnd || report.isTooLong) this.#close(report, !isEnd && report.hasEnd);
  }

  /** Whose next line this is. */
  #speaker(of: KernelText): OpenReport | undefined {
    const { text } = of;
    const cpu = SPEAKER.exec(text)?.[1];
    if (cpu !== undefined) {
      const speaker =
        this.#newest(of, (report) => report.cpu === cpu && !report.hasSpoken) ??
        this.#newest(of, (report) => report.takesCpu) ??
        this.#newest(of, (report) => report.cpu === cpu) ??
        this.#newest(of, ({ isUndecided }) => !isUndecided);
      if (speaker) speaker.cpu ??= cpu;
      return speaker;
    }
    // Behind a cut comes one line in the words of who complains, then what it is about.
    const isWords = !isDump(text) && !text.startsWith("---[");
    const framed = isWords ? this.#newest(of, (report) => report.awaitsWords) : undefined;
    if (framed) return framed;
    const ending = this.#newest(of, (report) => !report.isUndecided && report.isEnd(text));
    const spoken = this.#newest(of, ({ isUndecided }) => !isUndecided);
    return ending ?? spoken ?? this.#newest(of, () => true);
  }

  #append(report: OpenReport, text: KernelText, logLine: number): void {
    report.append(text, logLine);
    report.lastSeen = this.#lines;
    // The one that spoke last is the newest.
    this.#open.push(...this.#open.splice(this.#open.indexOf(report), 1));
  }

  /** Of the open reports that this text may belong to, the one that spoke last. */
  #newest(of: KernelText, fits: (report: OpenReport) => boolean): OpenReport | undefined {
    return this.#open.findLast((report) => report.mayHave(of) && fits(report));
  }

  #close(report: OpenReport | undefined, cut: boolean): void {
    if (!report) return;
    this.#open = this.#open.filter((one) => one !== report);
    const closed = report.report(cut);
    if (this.#kept.length === MAX_KEPT) {
      this.#omitted++;
      if (closed.kind !== "panic") return;
      this.#kept.pop();
    }
    this.#kept.push(closed);
  }

  #closeAll(): void {
    for (const report of this.#open) this.#close(report, report.hasEnd);
  }
}

/** LAVA's name for it (DISPATCHER.md 9). */
const RESET = "DUT_has_reset";

function headOf({
  text,
  seconds,
}: KernelText): { head: ReportHead; cpu: string | undefined } | undefined {
  if (!MAY_BE_HEAD.test(text)) return undefined;
  for (const head of REPORT_HEADS) {
    if (head.stamped && seconds === undefined) continue;
    const match = head.start.exec(text);
    if (match) return { head, cpu: match.slice(1).find((group) => group !== undefined) };
  }
  return undefined;
}
