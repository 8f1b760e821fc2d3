import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { lavaOverlay } from "../../../worker/actions/overlay/overlay-actions.ts";
import { definitionTest } from "../../../worker/actions/test/test-shell.ts";
import { Console } from "../../../worker/console/console.ts";
import type { Transport } from "../../../worker/console/transport.ts";
import type { Action, JobContext, RunContext } from "../../../worker/pipeline/action.ts";
import {
  consoleSlot,
  overlaySlot,
  promptsSlot,
  type Overlay,
} from "../../../worker/pipeline/job-slots.ts";
import { literalRegex } from "../../../worker/console/python-regex.ts";
import { aJobContext, run, type Ran } from "../../support/plan-of.ts";
import { cutLine, type Cut, type CutLine } from "./cut-line.ts";
import type { NoiseRates } from "./noise.ts";
import { noisyTransport, typicalNoise } from "./noisy-transport.ts";
import { plainStage } from "./plain-matcher.ts";
import { between, seededRandom } from "./random.ts";
import { score, type SaidLost, type Score, type Truth } from "./score.ts";
import { DUT_PROMPT, DUT_SHELLS, shellDut } from "./shell-dut.ts";
import { makeSuite, type ExpectedResult, type Suite } from "./suite.ts";

/** How a run ends: the suite comes to its end, raises an error, or its DUT dies in one of three ways. */
export type RunKind = "plain" | "raise" | Cut["how"];

export interface NoisyRun {
  readonly seed: number;
  /** 1: the noise that the issue names; 0: none. */
  readonly factor: number;
  /** More noise of what the DUT says. */
  readonly more?: NoiseRates;
  /** False: plain signals, read by a matcher that believes them. */
  readonly journal: boolean;
  /** Taken instead of a shell of this machine. */
  readonly dut?: NoisyDut;
  /** Taken instead of the seed's own. */
  readonly kind?: RunKind;
}

/** A DUT at its prompt that has the overlay of a run. */
export interface NoisyDut {
  readonly shell: string;
  /** Where the overlay is to be on it; with %s for the job's number. */
  readonly resultsDir: string;
  readonly prompt: string;
  /** Has it boot to its prompt, where it must: nobody's time but its own counts for that. */
  ready?(): Promise<void>;
  /** Puts the overlay there. */
  place(overlay: Overlay): Promise<void>;
  readonly open: () => Promise<Transport>;
  reset?(): void;
  /** A run has ended: at the prompt, or with the DUT in the middle of something. */
  left?(atPrompt: boolean): void;
}

export interface NoisyRan extends Score {
  readonly seed: number;
  readonly kind: RunKind;
  readonly problems: readonly string[];
  /** The job's log, for people. */
  readonly log: string;
}

const TYPES: Readonly<Record<RunKind, string>> = {
  plain: "pass",
  raise: "Test",
  closed: "Infrastructure",
  silent: "Test",
  panic: "Job",
  reset: "Test",
};

/** Of a DUT that is alive, a run never takes this long. */
const ALIVE_SECONDS = 180;
/** Of one that falls silent, or boots again: a shell comes to that place in this time, a guest in three times that; more noise, more time. */
const SILENT_SECONDS = 40;

/** The kind of a seed's run: seven of ten are plain. */
export function kindOf(seed: number): RunKind {
  const place = seededRandom(seed, "kind")() * 20;
  if (place < 14) return "plain";
  if (place < 16) return "raise";
  if (place < 18) return "closed";
  return place < 19 ? "silent" : "panic";
}

/** Runs the suite of a seed on a DUT behind the noise of that seed, and compares what was recorded with the truth. */
export async function noisyRun(options: NoisyRun): Promise<NoisyRan> {
  const { seed, factor, journal, dut, more, kind = kindOf(seed) } = options;
  const folder = await mkdtemp(path.join(tmpdir(), "pumice-noisy-"));
  try {
    const suite = makeSuite(seed, { raises: kind === "raise" });
    const cut = cutOf(seed, kind);
    const used = dut ?? hostDut(folder, seed, !journal);
    const line = cutLine(cut, () => used.reset?.());
    await used.ready?.();
    const ran = await runSuite(folder, suite, used, {
      journal,
      seconds: isWaitedFor(kind)
        ? SILENT_SECONDS * (dut ? 3 : 1) * Math.max(1, factor)
        : ALIVE_SECONDS,
      open: async () => {
        const inner = line.wrap(await used.open());
        const noise = typicalNoise(seed, factor);
        return noisyTransport(inner, { ...noise, toRunner: { ...noise.toRunner, ...more } });
      },
    });
    used.left?.(!line.isCut() && ran.outcome.result === "pass");
    const truth = { ...truthOf(suite, kind, line, ran), mayBeTooNoisy: factor > 1 };
    const scored = score(truth, recordsOf(ran, suite), ran.outcome, saidLost(ran, line.said()));
    return { ...scored, seed, kind, log: logOf(ran) };
  } finally {
    // What a DUT that lost its terminal still runs may write for a moment.
    await rm(folder, { recursive: true, force: true, maxRetries: 20 });
  }
}

/** Only the end of its time ends it. */
const isWaitedFor = (kind: RunKind): boolean => kind === "silent" || kind === "reset";

function cutOf(seed: number, kind: RunKind): Cut | undefined {
  if (kind === "plain" || kind === "raise") return undefined;
  const random = seededRandom(seed, "cut");
  return { how: kind, afterSignal: between(random, 3, 45), more: between(random, 0, 60) };
}

/** The matcher that believes its console has its DUT run what arrives damaged, too. */
function hostDut(folder: string, seed: number, runsDamaged: boolean): NoisyDut {
  const name = DUT_SHELLS[seed % DUT_SHELLS.length] ?? "dash";
  const { shell, open } = shellDut(folder, name, runsDamaged);
  return {
    shell,
    resultsDir: path.join(folder, "lava-%s"),
    prompt: DUT_PROMPT,
    place: ({ sourceDir, lavaDir }) => cp(sourceDir, lavaDir, { recursive: true }),
    open,
  };
}

interface SuiteOptions {
  readonly journal: boolean;
  readonly seconds: number;
  readonly open: () => Promise<Transport>;
}

/** The job: an overlay is made and placed, a console opened, and the test shell runs, each as in any job. */
function runSuite(
  folder: string,
  { definitions }: Suite,
  dut: NoisyDut,
  { journal, seconds, open }: SuiteOptions,
): Promise<Ran> {
  const job: JobContext = {
    ...aJobContext({
      context: { lava_test_sh_cmd: dut.shell, lava_test_results_dir: dut.resultsDir },
      timeouts: {
        job: { seconds: 2 * ALIVE_SECONDS },
        action: { seconds },
        connection: { seconds: 60 },
      },
      actions: [{ boot: { method: "qemu" } }],
      ...(journal ? {} : { environment: { LAVA_JOURNAL: "off" } }),
    }),
    scratch: path.join(folder, "scratch"),
  };
  const plan = {
    job,
    namespace: "common",
    overlayTests: [{ definitions }],
    hasShell: true,
    stage: 0,
  };
  const connect: Action = {
    name: "connect",
    needs: [overlaySlot],
    gives: [consoleSlot, promptsSlot],
    run: async ({ slots, log, defer }) => {
      await dut.place(slots.take(overlaySlot));
      const console = new Console(await open(), { log: (level, text) => log.write(level, text) });
      defer(() => console.close());
      slots.put(consoleSlot, console);
      slots.put(promptsSlot, [literalRegex(dut.prompt).source]);
    },
  };
  const plain: Action = {
    name: "lava-test-shell",
    onTimeout: "LAVATimeout",
    needs: [consoleSlot, overlaySlot],
    run: (context: RunContext) =>
      plainStage(
        context,
        context.slots.take(consoleSlot),
        dut.prompt,
        context.slots.take(overlaySlot),
      ),
  };
  const test = journal ? definitionTest.action({ definitions }, plan) : plain;
  const overlay = lavaOverlay(plan, {}, { compress: false });
  return run({ name: "block", steps: [overlay, connect, test] }, { job });
}

/**
 * What a DUT reported of its suite: all, or what it had said when it died. A job that fails where it should not has its
 * results counted the same way: what never ran was not lost.
 */
function truthOf(suite: Suite, kind: RunKind, line: CutLine, { outcome }: Ran): Truth {
  const right = kind === "raise" ? "Test" : "pass";
  const isRight = (outcome.result === "pass" ? "pass" : outcome.error_type) === right;
  const wanted = line.isCut() ? TYPES[kind] : right;
  if (!line.isCut() && (isRight || outcome.result === "pass")) {
    return { reported: suite.expected, outcome: wanted };
  }
  const said = line.said();
  const reported = suite.expected.flatMap((one): ExpectedResult[] => {
    if (one.definition !== "lava") return hasSaid(said, one) ? [one] : [];
    if (!said.includes(`<LAVA_SIGNAL_STARTRUN ${one.case} `)) return [];
    const isOver = hasEnded(said, one.case);
    return [{ ...one, result: isOver ? "pass" : "fail" }];
  });
  return { reported, outcome: wanted };
}

/** All words of a signal have left the DUT. */
const hasSaid = (said: string, { definition, case: name }: ExpectedResult): boolean =>
  new RegExp(`<LAVA_SIGNAL_TEST(CASE TEST_CASE_ID=|REFERENCE )${name} [^\n>]*>`).test(
    partOf(said, definition),
  );

/** What was said from the start of a definition's run to that of the next; nothing when it never began. */
function partOf(said: string, definition: string): string {
  const start = said.indexOf(`<LAVA_SIGNAL_STARTRUN ${definition} `);
  if (start < 0) return "";
  const next = said.indexOf(`<LAVA_SIGNAL_STARTRUN ${Number(definition[0]) + 1}_`, start);
  return said.slice(start, next < 0 ? undefined : next);
}

const hasEnded = (said: string, run: string): boolean =>
  new RegExp(`<LAVA_SIGNAL_ENDRUN ${run} [^\n>]*>`).test(said);

/** Records of the suite: cases, and the runs of its definitions. */
function recordsOf({ results }: Ran, { definitions }: Suite): Record<string, unknown>[] {
  const runs = new Set(definitions.map(({ name }, index) => `${index}_${name}`));
  return results.filter(({ definition, case: name }) =>
    definition === "lava" ? runs.has(String(name)) : true,
  );
}

/** What the job's records say to be lost, by the numbers of the journal's entries. */
function saidLost({ results }: Ran, said: string): SaidLost {
  const record = results.find(({ case: name }) => name === "test-journal");
  const extra = (record?.["extra"] ?? {}) as { lost?: unknown; unknown_after?: unknown };
  const { lost = "", unknown_after = Infinity } = extra;
  const isListed = numbersIn(String(lost));
  const isLost = (number: number): boolean => isListed(number) || number > Number(unknown_after);
  const some = (words: string, within = said): boolean => {
    const entries = new RegExp(`${words}[^\n>]*>(?: ~\\d+\\.(\\d+)\\.[\\d-]+~)?`, "g");
    // One that was cut in its tail is the last.
    return [...within.matchAll(entries)].some(([, number]) => isLost(Number(number ?? Infinity)));
  };
  return {
    result: ({ definition, case: name }) =>
      definition === "lava"
        ? some(`<LAVA_SIGNAL_(?:START|END)RUN ${name} `)
        : some(`[= ]${name} `, partOf(said, definition)),
    // The runner can't know what was lost, and guesses no set.
    sets: () => record !== undefined,
  };
}

/** `12,15-17,20-`: the last is open. */
function numbersIn(list: string): (number: number) => boolean {
  const ranges = list.split(",").map((range) => {
    const [low = "", high = low] = range.trim().split("-");
    if (low === "") return [Infinity, -Infinity] as const;
    return [Number(low), high === "" ? Infinity : Number(high)] as const;
  });
  return (number) => ranges.some(([low, high]) => number >= low && number <= high);
}

const logOf = ({ records }: Ran): string =>
  records
    .map(({ lvl, msg }) => `${lvl} ${typeof msg === "string" ? msg : JSON.stringify(msg)}`)
    .join("\n");
