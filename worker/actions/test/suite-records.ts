import type { RunContext } from "../../pipeline/action.ts";
import type { TestCase } from "./signal-words.ts";

/** Result records of one suite, judged by the cases that it is expected to have (TEST-SHELL.md 6, "expected"). */
export class SuiteRecords {
  readonly #suite: string;
  readonly #expected: readonly string[] | undefined;
  readonly #context: Pick<RunContext, "log" | "level">;
  readonly #seen = new Set<string>();

  constructor(
    suite: string,
    expected: readonly string[] | undefined,
    context: Pick<RunContext, "log" | "level">,
  ) {
    this.#suite = suite;
    this.#expected = expected;
    this.#context = context;
  }

  /** Records a case; one that was not expected counts as failed. */
  record({ name, result, measurement, units }: TestCase, more: Record<string, unknown>): void {
    const isUnexpected = this.#expected !== undefined && !this.#expected.includes(name);
    this.#seen.add(name);
    this.#context.log.result({
      definition: this.#suite,
      case: name,
      result: isUnexpected ? "fail" : result,
      ...(measurement === undefined ? {} : { measurement }),
      ...(units === undefined ? {} : { units }),
      ...(isUnexpected ? this.#reason(`test case "${name}" is not expected`) : {}),
      ...more,
    });
  }

  /** A case was reported in another way. */
  seen(name: string): void {
    this.#seen.add(name);
  }

  /** What was expected and did not come has failed; told once. */
  reportMissing(): void {
    for (const name of this.#expected ?? []) {
      if (this.#seen.has(name)) continue;
      this.#seen.add(name);
      this.#context.log.result({
        definition: this.#suite,
        case: name,
        result: "fail",
        ...this.#reason(`test case "${name}" is missing`),
      });
    }
  }

  #reason(reason: string): Record<string, unknown> {
    return { level: this.#context.level, extra: { reason } };
  }
}
