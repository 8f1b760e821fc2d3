/** More lines than the log of a job has. */
const LINES = 100_000_000;

/**
 * LAVA numbers the test cases and suites of all jobs; here such a number is made of the job and of the line of the log where the
 * case's record, or the suite's first one, stands.
 */
export const caseIdOf = (job: number, line: number): number => job * LINES + line;

/** Undefined for a number that is none of ours. */
export function readCaseId(text: string): { job: number; line: number } | undefined {
  if (!/^\d{1,16}$/.test(text)) return undefined;
  const id = Number(text);
  if (!Number.isSafeInteger(id) || id < LINES) return undefined;
  return { job: Math.floor(id / LINES), line: id % LINES };
}
