import type { AnnotationView, AttemptView, JobView } from "#protocol/api.ts";
import type { Evidence, PassedOnRetry } from "#protocol/failure.ts";
import { printable } from "./printable.ts";

/** What is to be said of a job's end beside its health, one sentence each: what shows its failure, what was tried again. */
export function endRemarks(job: JobView): string[] {
  const shown = evidenceText(job.evidence);
  return [
    ...(shown === "" ? [] : [`shown by ${shown}`]),
    ...(job.passed_on_retry ?? []).map(passedText),
    ...(job.earlier_attempts ?? []).map(attemptText),
  ];
}

/** `line 346 of the log, awaited: login:`, lines counting from 1 as in the browser; empty when there is none. */
export function evidenceText({ line, pattern }: Evidence = {}): string {
  const parts = [
    ...(line === undefined ? [] : [`line ${line + 1} of the log`]),
    ...(pattern === undefined ? [] : [`pattern ${pattern}`]),
  ];
  return printable(parts.join(", "));
}

/** `uboot-retry (2.3) passed on attempt 2 of 3` */
export const passedText = ({ action, level, attempt, of }: PassedOnRetry): string =>
  printable(`${action} (${level}) passed on attempt ${attempt} of ${of}`);

/** `attempt 1, on rpi-01, failed: Infrastructure: Connection closed (--attempt 1 shows it)` */
export function attemptText({ attempt, device, error_type, error_msg }: AttemptView): string {
  const why = [error_type, error_msg].filter(Boolean).join(": ");
  const where = device === undefined ? "" : `, on ${device},`;
  return printable(`attempt ${attempt}${where} failed: ${why} (--attempt ${attempt} shows it)`);
}

/** `alice: the cable was loose (lab)` */
export function annotationText({ who, text, cause }: AnnotationView): string {
  const found = cause === undefined ? "" : ` (${cause})`;
  return printable(`${who}: ${text.replaceAll("\n", " ")}${found}`);
}
