import type { Console } from "../console/console.ts";
import { KernelReports } from "./kernel-reports.ts";

const reportsOf = new WeakMap<Console, KernelReports>();

/** What the kernel on a console reports, from the first call on for the console's whole life. */
export function kernelReportsOf(console: Console): KernelReports {
  const known = reportsOf.get(console);
  if (known) return known;
  const reports = new KernelReports();
  console.watchLines((lines, logLines) => reports.addAll(lines, logLines));
  console.causeOfDeath = () => reports.causeOfDeath;
  reportsOf.set(console, reports);
  return reports;
}

/** The DUT on a console is powered on or reset now: it has said nothing yet, and what killed its kernel is past. */
export function dutRestarts(console: Console): void {
  console.restarts();
  kernelReportsOf(console).forgetPanic();
}

/** For a container's console: what a kernel says there is what a test shows of the worker's own. */
export function ignoreKernel(console: Console): void {
  kernelReportsOf(console).isIgnoring = true;
}
