import type { ActionLog } from "../../pipeline/action.ts";
import type { OverlayDefinition } from "../../pipeline/job-slots.ts";
import type { TestCase } from "./signal-words.ts";

/** Log lines where a case began and ended (STARTTC, ENDTC). */
interface Markers {
  readonly starttc: number;
  readonly endtc: number;
}

/** One definition while it runs on the DUT: from its STARTRUN to its ENDRUN (TEST-SHELL.md 6, "Records"). */
export class TestRun {
  readonly definition: OverlayDefinition;
  readonly #log: ActionLog;
  readonly #level: string;
  readonly #started = Date.now();
  readonly #starts = new Map<string, number>();
  readonly #ends = new Map<string, number>();
  readonly #seen = new Set<string>();
  set: string | undefined;

  constructor(definition: OverlayDefinition, log: ActionLog, level: string) {
    this.definition = definition;
    this.#log = log;
    this.#level = level;
  }

  caseStarted(name: string, logLine: number): void {
    this.#starts.set(name, logLine);
  }

  caseEnded(name: string, logLine: number): void {
    this.#ends.set(name, logLine);
  }

  /** Records a case; one that was not `expected` counts as failed. */
  record({ name, result, measurement, units }: TestCase, logLine: number): void {
    const { expected, testrunId } = this.definition;
    const isUnexpected = expected !== undefined && !expected.includes(name);
    this.#seen.add(name);
    this.#log.result({
      definition: testrunId,
      case: name,
      result: isUnexpected ? "fail" : result,
      ...(measurement === undefined ? {} : { measurement }),
      ...(units === undefined ? {} : { units }),
      ...(this.set === undefined ? {} : { set: this.set }),
      ...(isUnexpected ? this.#reason(`test case "${name}" is not expected`) : {}),
      ...this.#markers(name, logLine),
    });
  }

  reference(name: string, result: string, reference: string): void {
    this.#seen.add(name);
    this.#log.result({
      case: name,
      definition: this.definition.testrunId,
      result,
      reference,
      ...(this.set === undefined ? {} : { set: this.set }),
    });
  }

  /** At ENDRUN: what was expected and did not come, then the run's own record. */
  end(namespace: string): void {
    this.reportMissing();
    const { testrunId, uuid, repository, path, revision, commitId } = this.definition;
    this.#log.result({
      definition: "lava",
      case: testrunId,
      uuid,
      repository,
      path,
      duration: this.#seconds(),
      result: "pass",
      revision: revision ?? "unspecified",
      namespace,
      ...(commitId === undefined ? {} : { commit_id: commitId }),
    });
  }

  /** A run that never came to its end. */
  unfinished(): void {
    this.reportMissing();
    const { testrunId, uuid, commitId } = this.definition;
    this.#log.result({
      definition: "lava",
      case: testrunId,
      uuid,
      result: "fail",
      ...(commitId === undefined ? {} : { commit_id: commitId }),
      duration: this.#seconds(),
    });
  }

  reportMissing(): void {
    for (const name of this.definition.expected ?? []) {
      if (this.#seen.has(name)) continue;
      this.#seen.add(name);
      this.#log.result({
        definition: this.definition.testrunId,
        case: name,
        result: "fail",
        ...this.#reason(`test case "${name}" is missing`),
      });
    }
  }

  #reason(reason: string): Record<string, unknown> {
    return { level: this.#level, extra: { reason } };
  }

  #markers(name: string, logLine: number): Markers {
    const start = this.#starts.get(name) ?? logLine;
    const end = this.#ends.get(name) ?? logLine;
    this.#starts.delete(name);
    this.#ends.delete(name);
    return { starttc: start, endtc: end };
  }

  #seconds(): string {
    return ((Date.now() - this.#started) / 1000).toFixed(2);
  }
}
