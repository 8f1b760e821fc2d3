import { parseArgs } from "node:util";
import {
  corpusFolder,
  readInputs,
  replaceInputs,
  scratchFolder,
  writeInput,
} from "../test/fuzz/engine/corpus.ts";
import { runTarget, type TargetReport } from "../test/fuzz/engine/run-target.ts";
import { smallest } from "../test/fuzz/engine/smallest.ts";
import { seedsOf, TARGET_NAMES, targetOf } from "../test/fuzz/targets.ts";

const abouts = await Promise.all(
  TARGET_NAMES.map(async (name) => `  ${name.padEnd(12)} ${(await targetOf(name)).about}`),
);
const HELP = `scripts/fuzz [TARGET...]: tries what others write (a job, a board, a worker, a network) with inputs that nobody
would write, led by what V8 says has run.

Targets, all unless named, one after the other:
${abouts.join("\n")}

  --minutes N     of each target (5)
  --runs N        ends a target after so many inputs, too
  --seed N        other inputs for another number (random; it is printed)
  --hang N        seconds that one input may take (10)
  --heap N        MB of V8's heap that a target may use (768)
  --keep          puts what ran something new into test/fuzz/corpus, as few and as small as will do
  --replay        only runs the corpus
  --json          the summary as JSON
  --help

A fault is an error that is no named refusal, an input that hangs, or memory beyond the bound. Its input is made shorter and left
in .cache/fuzz/TARGET; once it is mended, move it to test/fuzz/corpus/TARGET under a name that says what was wrong.
Exit code 0: nothing was found; 1: something was; 2: it can't be run so.`;

const { values: options, positionals } = parse();
if (options.help) {
  console.log(HELP);
  process.exit(0);
}
const number = (name: "minutes" | "runs" | "seed" | "hang" | "heap", otherwise: number): number => {
  const text = options[name];
  if (text === undefined) return otherwise;
  const value = Number(text);
  if (!Number.isFinite(value) || value < 0) refuse(`--${name} ${text}: expected a number`);
  return value;
};
const unknown = positionals.filter((name) => !TARGET_NAMES.includes(name));
if (unknown.length > 0) {
  refuse(`there is no target ${unknown.join(", ")}; there are ${TARGET_NAMES.join(", ")}`);
}
const seed = number("seed", Math.floor(Math.random() * 2 ** 31));
const minutes = number("minutes", 5);
const reports: TargetReport[] = [];
const say = (text: string): void => (options.json ? console.error : console.log)(text);

say(`seed ${seed}`);
for (const name of positionals.length > 0 ? positionals : TARGET_NAMES) {
  const report = await runTarget(name, {
    seed,
    runs: options.replay ? 0 : number("runs", Number.MAX_SAFE_INTEGER),
    seconds: minutes * 60,
    hangSeconds: number("hang", 10),
    heapMb: number("heap", 768),
    withScratch: !options.replay,
    seeds: await seedsOf(name),
  });
  reports.push(report);
  const { runs, seconds, functions, peakMb, kept, findings } = report;
  const rate = Math.round(runs / Math.max(seconds, 0.001));
  say(
    `${name}: ${runs} inputs in ${seconds.toFixed(0)} s (${rate}/s), ${kept.length} new, ${functions} functions run, peak ${peakMb} MB, ${findings.length} found`,
  );
  for (const { kind, what, input } of findings) {
    const file = writeInput(scratchFolder(name), input, `${kind}-`);
    say(
      `  ${kind.toUpperCase()}: ${what.split("\n").slice(0, 6).join("\n    ")}\n    input: ${file}`,
    );
  }
  for (const input of kept) writeInput(scratchFolder(name), input);
  if (options.keep) {
    const all = [...readInputs(corpusFolder(name)), ...readInputs(scratchFolder(name))];
    const inputs = all.filter(([file]) => /^[0-9a-f]{12}$/.test(file)).map(([, input]) => input);
    const few = await smallest(name, inputs);
    replaceInputs(corpusFolder(name), few);
    say(
      `  the corpus has ${few.length} inputs, ${few.reduce((sum, one) => sum + one.length, 0)} bytes`,
    );
  }
}
const found = reports.reduce((sum, { findings }) => sum + findings.length, 0);
if (options.json) console.log(JSON.stringify({ seed, targets: reports.map(summary) }));
say(found === 0 ? "nothing found" : `${found} found`);
process.exitCode = found === 0 ? 0 : 1;

function summary({ kept, findings, ...rest }: TargetReport) {
  const found = findings.map(({ kind, what }) => ({ kind, what }));
  return { ...rest, kept: kept.length, findings: found };
}

function parse() {
  const text = { type: "string" } as const;
  const flag = { type: "boolean" } as const;
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        ...{ minutes: text, runs: text, seed: text, hang: text, heap: text },
        ...{ keep: flag, replay: flag, json: flag, help: { ...flag, short: "h" } },
      },
    });
  } catch (error) {
    return refuse((error as Error).message);
  }
}

function refuse(why: string): never {
  console.error(`scripts/fuzz: ${why}\nscripts/fuzz --help says more`);
  process.exit(2);
}
