import { readFileSync } from "node:fs";
import path from "node:path";
import { KernelReports } from "../../worker/kernel/kernel-reports.ts";
import type { KernelReport } from "../../worker/kernel/open-report.ts";

/** What is found in a console's lines; their numbers count from 0. */
export function reportsIn(lines: readonly string[], { testsRun = false } = {}): KernelReport[] {
  const reports = new KernelReports();
  reports.testsRun = testsRun;
  for (const [number, line] of lines.entries()) reports.add(line, number);
  return [...reports.take().reports];
}

/** Kind and what was said, for expectations. */
export const inShort = (reports: readonly KernelReport[]): string[] =>
  reports.map(({ kind, message, cut }) => `${kind}${cut ? " (cut)" : ""}: ${message}`);

/** Lines of a console of a kernel that was brought into trouble on purpose (test/beds/trouble). */
export function goldenLines(name: string): string[] {
  const file = path.resolve(import.meta.dirname, `../golden/kernel/${name}.log`);
  return readFileSync(file, "utf8").trimEnd().split("\n");
}
