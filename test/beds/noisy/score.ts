import type { JobOutcome } from "../../../worker/pipeline/run-job.ts";
import type { ExpectedResult } from "./suite.ts";

/** What went wrong with the truth, counted. */
export interface Score {
  readonly runs: number;
  /** Results that were expected, and neither recorded nor reported as lost. */
  readonly lost: number;
  /** Results that nobody reported, or recorded twice. */
  readonly invented: number;
  /** Results recorded with other words than they were reported with, or in another order. */
  readonly wrong_verdicts: number;
  /** Jobs that ended with another outcome than the known right one. */
  readonly misclassed: number;
  /** Results of DUTs that died which are not recorded, and said to be lost. */
  readonly reported_lost: number;
  /** Jobs that were given up because their line was too noisy, and said so: above the noise of factor 1 only. */
  readonly too_noisy: number;
}

export const NO_RUNS: Score = {
  runs: 0,
  lost: 0,
  invented: 0,
  wrong_verdicts: 0,
  misclassed: 0,
  reported_lost: 0,
  too_noisy: 0,
};

export interface Truth {
  /** What the DUT reported, in its order. */
  readonly reported: readonly ExpectedResult[];
  /** The job's right outcome: `pass` or the type of its error. */
  readonly outcome: string;
  /** Whether its line was so noisy that a job which ends for that reason is right, too. */
  readonly mayBeTooNoisy?: boolean;
}

/** What the records say to be lost. */
export interface SaidLost {
  /** This result may be. */
  result(one: ExpectedResult): boolean;
  /** The beginning or end of some set may be: results after it stand without one. */
  sets(): boolean;
}

/** What a job recorded, compared with the truth. */
export function score(
  truth: Truth,
  records: readonly Record<string, unknown>[],
  outcome: JobOutcome,
  saidLost: SaidLost,
): Score & { readonly problems: readonly string[] } {
  const problems: string[] = [];
  const expected = new Map(truth.reported.map((one, index) => [key(one), { one, index }]));
  const seen = new Set<string>();
  let [invented, wrong, lost, reportedLost, last] = [0, 0, 0, 0, -1];
  for (const record of records) {
    const known = expected.get(key(record));
    if (!known || seen.has(key(record))) {
      invented += 1;
      problems.push(`${known ? "recorded twice" : "invented"}: ${JSON.stringify(record)}`);
      continue;
    }
    seen.add(key(record));
    const said = words(record);
    const { set: _, ...withoutSet } = known.one;
    const right = [words(known.one), ...(saidLost.sets() ? [words(withoutSet)] : [])];
    // How a run of a definition ended is what arrived of it.
    if (!right.includes(said) && known.one.definition === "lava" && saidLost.result(known.one)) {
      reportedLost += 1;
    } else if (!right.includes(said) || known.index < last) {
      wrong += 1;
      problems.push(
        `wrong: ${said} instead of ${words(known.one)}, place ${known.index} behind ${last}`,
      );
    }
    last = Math.max(last, known.index);
  }
  for (const [name, { one }] of expected) {
    if (seen.has(name)) continue;
    if (saidLost.result(one)) reportedLost += 1;
    else {
      lost += 1;
      problems.push(`lost: ${name}`);
    }
  }
  const ended = outcome.result === "pass" ? "pass" : (outcome.error_type ?? "Unknown");
  const isTooNoisy = truth.mayBeTooNoisy === true && saysTooNoisy(outcome);
  const isMisclassed = ended !== truth.outcome && !isTooNoisy;
  if (isMisclassed) {
    problems.push(`ended as ${ended} (${outcome.error_msg ?? ""}) instead of ${truth.outcome}`);
  }
  return {
    runs: 1,
    lost,
    invented,
    wrong_verdicts: wrong,
    misclassed: isMisclassed ? 1 : 0,
    reported_lost: reportedLost,
    too_noisy: isTooNoisy ? 1 : 0,
    problems,
  };
}

/** The words of worker/console/line-noise.ts, in a failure of the lab's. */
export const saysTooNoisy = ({ error_type, error_msg }: JobOutcome): boolean =>
  error_type === "Infrastructure" && /\bthis line is too noisy\b/.test(error_msg ?? "");

const key = (one: Readonly<Record<string, unknown>> | ExpectedResult): string =>
  `${String(one.definition)}/${String(one.case)}`;

const words = (one: Readonly<Record<string, unknown>> | ExpectedResult): string => {
  const { result, measurement, units, set, reference } = one as ExpectedResult;
  return JSON.stringify([key(one), result, measurement, units, set, reference]);
};

export const sum = (one: Score, other: Score): Score => ({
  runs: one.runs + other.runs,
  lost: one.lost + other.lost,
  invented: one.invented + other.invented,
  wrong_verdicts: one.wrong_verdicts + other.wrong_verdicts,
  misclassed: one.misclassed + other.misclassed,
  reported_lost: one.reported_lost + other.reported_lost,
  too_noisy: one.too_noisy + other.too_noisy,
});
