import { pythonRegex } from "../../console/python-regex.ts";
import type { RunContext } from "../../pipeline/action.ts";
import { JobFailure } from "../../pipeline/job-failure.ts";
import type { OverlayDefinition } from "../../pipeline/job-slots.ts";
import { checkTestCase, readTestCase, type TestCase } from "./signal-words.ts";
import { TestRun } from "./test-run.ts";

/** Turns the signals of one stage into result records (TEST-SHELL.md 6). */
export class SignalReader {
  /** What makes the stage fail at its end although it ran to it. */
  readonly errors: string[] = [];
  readonly #context: RunContext;
  readonly #stage: number;
  readonly #definitions: readonly OverlayDefinition[];
  readonly #ran = new Set<string>();
  #run: TestRun | undefined;
  /** The run that is open, else the last one: something it left in the background may still report. */
  #reported: TestRun | undefined;
  #parse: RegExp | undefined;

  constructor(context: RunContext, stage: number, definitions: readonly OverlayDefinition[]) {
    this.#context = context;
    this.#stage = stage;
    this.#definitions = definitions;
  }

  /** Something of the stage's definitions has run. */
  get hasStarted(): boolean {
    return this.#ran.size > 0 || this.errors.length > 0;
  }

  /** The running definition's own pattern for results; only between its STARTRUN and ENDRUN. */
  get parsePattern(): RegExp | undefined {
    return this.#parse;
  }

  /**
   * Takes one signal.
   *
   * @throws JobFailure Test for one that must end the job (TESTRAISE, a result before any STARTRUN, a
   * signal without its words).
   */
  signal(name: string, text: string, logLine: number): void {
    const { log } = this.#context;
    const words = text.split(/\s+/).filter((word) => word !== "");
    log.debug(`Received signal: <${name}> ${words.join(" ")}`);
    switch (name) {
      case "STARTRUN":
        return this.#startRun(words);
      case "ENDRUN":
        return this.#endRun();
      case "STARTTC":
        return this.#run?.caseStarted(words[0] ?? "", logLine);
      case "ENDTC":
        return this.#run?.caseEnded(words[0] ?? "", logLine);
      case "TESTCASE":
        return this.#testCase(words, logLine);
      case "TESTSET":
        return this.#testSet(words);
      case "TESTREFERENCE":
        return this.#testReference(words);
      case "TESTRAISE":
        throw new JobFailure("Test", withoutReturns(text));
      case "TESTEVENT":
        return void log.write("event", withoutReturns(text));
      case "TESTFEEDBACK":
        // What other consoles say is logged as it comes: there is nothing to fetch.
        return undefined;
      default:
        return undefined;
    }
  }

  /** A match of the definition's own pattern. */
  parsed({ groups = {} }: RegExpExecArray, logLine: number): void {
    const name = groups["test_case_id"]?.trim();
    if (name?.includes(" ")) {
      this.#context.log.warning(`a parsed test case has spaces in its name: ${name}`);
      return;
    }
    const { measurement, units } = groups;
    const fixups = this.#run?.definition.fixupdict;
    const found = { name, result: groups["result"], measurement, units };
    this.#record(checkTestCase(found, fixups), logLine);
  }

  /**
   * Takes a call to the group; what records how it ended (MULTINODE.md 3), whatever cases the definition is expected to have.
   *
   * @throws JobFailure Test before any STARTRUN.
   */
  groupCall(caseName: string): (result: "pass" | "fail") => void {
    const { definition } = this.#reportedRun([caseName]);
    const { log } = this.#context;
    return (result) => log.result({ definition: definition.testrunId, case: caseName, result });
  }

  /** A signal is lost, nobody knows which: whether a set or a run has begun or ended since is not guessed. */
  signalLost(): void {
    if (this.#run) this.#run.set = undefined;
    else this.#reported = undefined;
  }

  installFailed(): void {
    this.errors.push(`a test definition of stage ${this.#stage} could not be installed`);
    const record = { definition: "lava", case: `stage_${this.#stage}`, result: "fail" };
    this.#context.log.result(record);
  }

  /** The stage is over, however: a run that is still open has failed, and what was expected and never ran is missing. */
  close(): void {
    this.#run?.unfinished();
    this.#run = undefined;
    this.#parse = undefined;
    const { log, level } = this.#context;
    for (const definition of this.#definitions) {
      if (!this.#ran.has(definition.testrunId)) {
        new TestRun(definition, log, level).reportMissing();
      }
    }
  }

  #startRun([testrunId = "", uuid]: string[]): void {
    if (uuid === undefined) throw new JobFailure("Test", `Invalid signal STARTRUN ${testrunId}`);
    const { log, level } = this.#context;
    const definition = this.#definitions.find((known) => known.testrunId === testrunId);
    if (!definition) {
      log.error(`STARTRUN of ${testrunId}, which is not a definition of this job`);
      return;
    }
    log.info(`Starting test lava.${testrunId} (${uuid})`);
    // A definition whose script ended early never said so: the next one replaces it.
    this.#run?.unfinished();
    this.#ran.add(testrunId);
    this.#reported = this.#run = new TestRun(definition, log, level);
    const { pattern } = definition;
    this.#parse = pattern === undefined ? undefined : pythonRegex(pattern, "parse");
  }

  #endRun(): void {
    const { log, namespace } = this.#context;
    if (!this.#run) return;
    log.info(`Ending use of test pattern of ${this.#run.definition.testrunId}.`);
    this.#run.end(namespace);
    this.#run = undefined;
    this.#parse = undefined;
  }

  #testCase(words: string[], logLine: number): void {
    this.#record(readTestCase(words, this.#reportedRun(words).definition.fixupdict), logLine);
  }

  #reportedRun(words: readonly string[]): TestRun {
    if (this.#reported) return this.#reported;
    const text = `a test case was reported before any test run: ${words.join(" ")}`;
    throw new JobFailure("Test", text);
  }

  #record(found: TestCase | Error, logLine: number): void {
    if (found instanceof Error) this.#context.log.error(`a result was dropped: ${found.message}`);
    else this.#reported?.record(found, logLine);
  }

  #testSet([action, name]: string[]): void {
    if (!this.#run) return;
    if (action === "START" && name !== undefined) this.#run.set = name;
    else if (action === "STOP") this.#run.set = undefined;
  }

  #testReference(words: string[]): void {
    const [name, result, reference] = words;
    if (words.length !== 3 || !name || !result || !reference) {
      throw new JobFailure("Test", `TESTREFERENCE wants 3 words, found ${words.length}`);
    }
    this.#reportedRun(words).reference(name, result, reference);
  }
}

/** A console ends lines with CR LF, also those inside a message. */
const withoutReturns = (text: string): string => text.replaceAll("\r", "").trim();
