/**
 * One signal of the test shell: `<LAVA_SIGNAL_NAME word word>` (TEST-SHELL.md 6). One that was cut off ends
 * where the next begins, so that it doesn't take that one along. A quote behind it is a shell's, in a trace whose
 * beginning something else on the console may have torn off.
 */
export const SIGNAL = /<LAVA_SIGNAL_([^\s<>]+) ((?:[^<>]|<(?!LAVA_))+)>(?!')/g;

/**
 * A shell that runs with `set -x` prints each command before it runs it, so a step that echoes a signal
 * shows it twice. What stands in such a trace line, behind the command's name, is no signal. (LAVA counts both.)
 */
export const isTrace = (lineBefore: string): boolean => /^\s*\++ \S/.test(lineBefore);

/**
 * Whether a signal without a journal's entry has what its kind needs. One that noise has torn may have anybody's words, up
 * to a `>` of the kernel's: it must not end a job that a test's own one would.
 */
export function hasItsWords(name: string, text: string): boolean {
  if (GARBLED.test(text)) return false;
  const words = text.trim().split(/\s+/);
  if (name === "STARTRUN" || name === "ENDRUN") return words.length === 2;
  if (name === "TESTREFERENCE") return words.length === 3;
  if (name === "TESTSET") return words.length === (words[0] === "START" ? 2 : 1);
  return name !== "TESTCASE" || words.every((word) => word.includes("="));
}

/** Whether a helper had to print it without the journal's tail: too long, or with letters that have no sum. */
export const fitsNoEntry = (text: string): boolean =>
  text.length > 1000 || (/[^ -~]/.test(text) && !GARBLED.test(text));

/** Control characters other than a line's, and what stands for bytes that are no UTF-8. */
const GARBLED = /[\0-\u0008\u000b\u000c\u000e-\u001f\u007f\ufffd]/;

/** The case of a `TESTCASE` signal, checked; `problem` when it can't be a result. */
export interface TestCase {
  readonly name: string;
  readonly result: string;
  readonly measurement: number | undefined;
  readonly units: string | undefined;
}

const DEFAULT_FIXUPS: Readonly<Record<string, string>> = {
  PASS: "pass",
  FAIL: "fail",
  SKIP: "skip",
  UNKNOWN: "unknown",
};
const RESULTS = ["pass", "fail", "skip", "unknown"];

/** `TEST_CASE_ID=x RESULT=pass MEASUREMENT=1 UNITS=s`; an error says why it is dropped. */
export function readTestCase(
  words: readonly string[],
  fixups: Readonly<Record<string, string>> | undefined,
): TestCase | Error {
  const values = new Map<string, string>();
  for (const word of words) {
    const equals = word.indexOf("=");
    if (equals < 0) return new Error(`${JSON.stringify(word)} is no KEY=VALUE`);
    values.set(word.slice(0, equals).toLowerCase(), word.slice(equals + 1));
  }
  return checkTestCase(
    {
      name: values.get("test_case_id"),
      result: values.get("result"),
      measurement: values.get("measurement"),
      units: values.get("units"),
    },
    fixups,
  );
}

/** The same for the named groups of a parse pattern. */
export function checkTestCase(
  found: {
    name: string | undefined;
    result: string | undefined;
    measurement: string | undefined;
    units: string | undefined;
  },
  fixups: Readonly<Record<string, string>> | undefined,
): TestCase | Error {
  const { name, result, measurement, units } = found;
  if (name === undefined || name === "") return new Error("TEST_CASE_ID is missing");
  if (result === undefined) return new Error("RESULT is missing");
  const table = fixups ?? DEFAULT_FIXUPS;
  const fixed = Object.hasOwn(table, result) ? (table[result] ?? result) : result;
  if (!RESULTS.includes(fixed)) {
    return new Error(`RESULT is ${JSON.stringify(result)}: expected ${RESULTS.join(", ")}`);
  }
  const number = measurement === undefined ? undefined : Number(measurement);
  if (number !== undefined && (measurement?.trim() === "" || !Number.isFinite(number))) {
    return new Error(`MEASUREMENT is ${JSON.stringify(measurement)}: expected a number`);
  }
  return { name, result: fixed, measurement: number, units };
}
