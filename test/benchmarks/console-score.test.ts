import { expect, test } from "vitest";
import { score, sum, NO_RUNS, type SaidLost } from "../beds/noisy/score.ts";

const reported = [
  { definition: "0_a", case: "one", result: "pass", measurement: 1.5, units: "s" },
  { definition: "0_a", case: "two", result: "fail", set: "group" },
  { definition: "lava", case: "0_a", result: "pass" },
];
const nothingLost: SaidLost = { result: () => false, sets: () => false };
const good = { result: "pass" } as const;

const scored = (
  records: Record<string, unknown>[],
  said = nothingLost,
  outcome: Parameters<typeof score>[2] = good,
) => {
  const { problems, ...figures } = score({ reported, outcome: "pass" }, records, outcome, said);
  return { ...figures, problems: problems.length };
};
const [one = {}, two = {}, run = {}] = reported;

test("a job that recorded what was reported has no fault; other words of a record don't matter", () => {
  const records = [{ ...one, starttc: 7 }, two, run];
  expect(scored(records)).toEqual({ ...NO_RUNS, runs: 1, problems: 0 });
});

test.each<[string, Record<string, unknown>[], object]>([
  ["a result that is missing is lost", [one, run], { lost: 1 }],
  [
    "one that nobody reported is invented",
    [one, two, { ...two, case: "tow" }, run],
    { invented: 1 },
  ],
  ["one that is there twice is invented", [one, two, two, run], { invented: 1 }],
  ["another result is wrong", [one, { ...two, result: "pass" }, run], { wrong_verdicts: 1 }],
  ["another measurement is wrong", [{ ...one, measurement: 15 }, two, run], { wrong_verdicts: 1 }],
  ["another set is wrong", [one, { ...two, set: undefined }, run], { wrong_verdicts: 1 }],
  ["another order is wrong", [two, one, run], { wrong_verdicts: 1 }],
])("%s", (_, records, counts) => {
  expect(scored(records)).toEqual({ ...NO_RUNS, runs: 1, ...counts, problems: 1 });
});

test("a result that is said to be lost is reported, one that is recorded wrong stays wrong", () => {
  const said: SaidLost = { result: (result) => result.case === "two", sets: () => false };
  expect(scored([one, run], said)).toMatchObject({ lost: 0, reported_lost: 1 });
  expect(scored([one, { ...two, result: "pass" }, run], said)).toMatchObject({ wrong_verdicts: 1 });
});

test("where the beginning of a set is said to be lost, results stand without one, not in another", () => {
  const said: SaidLost = { result: () => false, sets: () => true };
  expect(scored([one, { ...two, set: undefined }, run], said)).toMatchObject({ wrong_verdicts: 0 });
  expect(scored([one, { ...two, set: "other" }, run], said)).toMatchObject({ wrong_verdicts: 1 });
});

test("a job that ends in another way than the right one is misclassed", () => {
  const outcome = { result: "fail", error_type: "Job" } as const;
  expect(scored([one, two, run], nothingLost, outcome)).toMatchObject({ misclassed: 1 });
});

test("a job that says its line is too noisy is right where the noise was meant to be too much, and only there", () => {
  const outcome = {
    result: "fail",
    error_type: "Infrastructure",
    error_msg: "'#' can't be typed: this line is too noisy: of the last 20 times ...",
  } as const;
  const judged = (mayBeTooNoisy: boolean, ended: Parameters<typeof score>[2]) =>
    score({ reported, outcome: "pass", mayBeTooNoisy }, [one, two, run], ended, nothingLost);
  expect(judged(true, outcome)).toMatchObject({ misclassed: 0, too_noisy: 1, problems: [] });
  expect(judged(false, outcome)).toMatchObject({ misclassed: 1, too_noisy: 0 });
  expect(judged(true, { ...outcome, error_type: "Job" })).toMatchObject({ misclassed: 1 });
  // What it does not say to be lost is.
  const lost = score(
    { reported, outcome: "pass", mayBeTooNoisy: true },
    [one],
    outcome,
    nothingLost,
  );
  expect(lost).toMatchObject({ lost: 2, too_noisy: 1 });
});

test("figures of runs add up", () => {
  const some = { ...NO_RUNS, runs: 1, lost: 2, reported_lost: 1 };
  expect(sum(some, { ...some, invented: 3 })).toEqual({
    ...NO_RUNS,
    runs: 2,
    lost: 4,
    invented: 3,
    reported_lost: 2,
  });
});
