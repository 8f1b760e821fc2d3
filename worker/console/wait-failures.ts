import type { Evidence } from "#protocol/failure.ts";
import { JobFailure } from "../pipeline/job-failure.ts";
import { firstSources, sourcesOf } from "./armed.ts";

type Patterns = Readonly<Record<string, RegExp>>;

/** What a kernel said when it died: in its own words, what that was recognised by, the line of the log. */
export interface Death {
  readonly message: string;
  readonly pattern: string;
  readonly firstLine: number;
}

/** What is known of a console whose wait has failed. */
export interface Situation {
  /** The end of what the DUT said and nobody consumed. */
  readonly tail: string;
  /** Number, in the log, of the last line that ended. */
  readonly lastLogLine: number | undefined;
  /** Nothing was said since the DUT's last start. */
  readonly isSilent: boolean;
  /** Of its kernel, since the DUT's last start. */
  readonly death: Death | undefined;
}

/** A wait whose time is over, Job: what was awaited, and what came last instead. */
export function timedOutFailure(
  situation: Situation,
  patterns: Patterns,
  seconds: number,
): JobFailure {
  const after = `${Number(seconds.toFixed(1))} s`;
  const message = `wait for prompt timed out after ${after}: ${inWords(situation, patterns)}`;
  const failure = new JobFailure("Job", message, { evidence: evidenceOf(situation, patterns) });
  if (situation.isSilent) failure.blameSilence();
  return failure;
}

/** A connection that ended: the lab's fault, unless the kernel had died before. */
export function closedFailure(situation: Situation, why: string, cause?: unknown): JobFailure {
  const message = `Connection closed: ${why}`;
  const { death } = situation;
  if (death) {
    const evidence = { pattern: death.pattern, line: death.firstLine };
    return new JobFailure("Job", `${death.message} (then: ${message})`, { cause, evidence });
  }
  const evidence = evidenceOf(situation, {});
  return new JobFailure("Infrastructure", message, { cause, evidence });
}

/** The time-out of whoever waits says nothing about the DUT: the one who waited for it does. */
export function explain(reason: unknown, situation: Situation, patterns: Patterns): void {
  if (!(reason instanceof JobFailure) || reason.type === "Canceled") return;
  const { death, isSilent } = situation;
  if (death) reason.shownBy({ pattern: death.pattern, line: death.firstLine });
  reason.shownBy(evidenceOf(situation, patterns));
  if (isSilent) reason.blameSilence();
}

/** What was awaited and what came last, for people. */
export const inWords = (situation: Situation, patterns: Patterns): string =>
  `awaited ${sourcesOf(patterns)}${lastWords(situation) || "; nothing came"}`;

/** What came last, as the end of a sentence; empty when nothing did. */
export function lastWords({ tail }: Situation): string {
  const text = tail.trim();
  return text === "" ? "" : `; what came last: ${JSON.stringify(text)}`;
}

/** What was awaited, and the last line that came. */
function evidenceOf({ lastLogLine: line }: Situation, patterns: Patterns): Evidence {
  const pattern = firstSources(patterns).join(" | ");
  return { ...(pattern ? { pattern } : {}), ...(line === undefined ? {} : { line }) };
}
