import type { ActionLog } from "../../pipeline/action.ts";
import type { OverlayDefinition } from "../../pipeline/job-slots.ts";
import type { TestCase } from "./signal-words.ts";
import { SuiteRecords } from "./suite-records.ts";

/** Log lines where a case began and ended (STARTTC, ENDTC). */
interface Markers {
  readonly starttc: number;
  readonly endtc: number;
}

/** One definition while it runs on the DUT: from its STARTRUN to its ENDRUN (TEST-SHELL.md 6, "Records"). */
export class TestRun {
  readonly definition: OverlayDefinition;
  readonly #log: ActionLog;
  readonly #suite: SuiteRecords;
  readonly #started = performance.now();
  readonly #starts = new Map<string, number>();
  readonly #ends = new Map<string, number>();
  set: string | undefined;

  constructor(definition: OverlayDefinition, log: ActionLog, level: string) {
    this.definition = definition;
    this.#log = log;
    this.#suite = new SuiteRecords(definition.testrunId, definition.expected, { log, level });
  }

  caseStarted(name: string, logLine: number): void {
    this.#starts.set(name, logLine);
  }

  caseEnded(name: string, logLine: number): void {
    this.#ends.set(name, logLine);
  }

  record(found: TestCase, logLine: number): void {
    const set = this.set === undefined ? {} : { set: this.set };
    this.#suite.record(found, { ...set, ...this.#markers(found.name, logLine) });
  }

  reference(name: string, result: string, reference: string): void {
    this.#suite.seen(name);
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
    this.#suite.reportMissing();
  }

  #markers(name: string, logLine: number): Markers {
    const start = this.#starts.get(name) ?? logLine;
    const end = this.#ends.get(name) ?? logLine;
    this.#starts.delete(name);
    this.#ends.delete(name);
    return { starttc: start, endtc: end };
  }

  #seconds(): string {
    return ((performance.now() - this.#started) / 1000).toFixed(2);
  }
}
