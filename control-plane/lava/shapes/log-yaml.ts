import type { Deps } from "../../domain/deps.ts";
import { readLog, type LogRange } from "../../domain/job-log.ts";
import { attemptOf } from "../../domain/job-record.ts";
import { getVisibleJob } from "../../domain/visible.ts";
import type { Principal } from "../../domain/principal.ts";

/**
 * The lines of a job's log from `start` up to `end`, as LAVA's log.yaml has them, page by page, each read when the one before has
 * been taken. Throws `not_found` for a job that whoever asks may not see, before the first piece.
 */
export async function logYaml(
  deps: Deps,
  principal: Principal,
  id: number,
  { start = 0, ...range }: LogRange = {},
): Promise<AsyncGenerator<string>> {
  // A text that has been begun goes on in the same attempt.
  const attempt = attemptOf(await getVisibleJob(deps, principal, id, range.attempt));
  return (async function* () {
    let next = start;
    for (;;) {
      const page = await readLog(deps, principal, id, { ...range, attempt, start: next });
      if (page.records.length === 0) return;
      next = page.next;
      yield page.records.map((record) => `- ${logLine(record)}\n`).join("");
    }
  })();
}

/**
 * One record on one line: JSON as Python spaces it, which is a YAML flow mapping too. The time has no zone, and no character
 * stands in it that PyYAML refuses.
 */
export function logLine(record: Readonly<Record<string, unknown>>): string {
  const fields = Object.entries(record).map(([name, value]) => {
    const shown =
      name === "dt" && typeof value === "string" ? value.replace(/\+00:00$/, "") : value;
    return `${JSON.stringify(name)}: ${spaced(shown)}`;
  });
  return `{${fields.join(", ")}}`.replace(ODD, escaped);
}

/** Of lists and mappings, what is short has Python's spaces as well; nobody reads them by eye. */
function spaced(value: unknown): string {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    const fields = Object.entries(value).map(
      ([name, inner]) => `${JSON.stringify(name)}: ${JSON.stringify(inner)}`,
    );
    return `{${fields.join(", ")}}`;
  }
  return JSON.stringify(value) ?? "null";
}

const ODD = /[\x7f-\xa0\u2028\u2029\ufeff\ufffe\uffff]/g;
const escaped = (character: string): string =>
  `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
