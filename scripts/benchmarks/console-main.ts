import { writeFileSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import path from "node:path";
import { parseArgs } from "node:util";
import { noisyRun, type NoisyRan } from "../../test/beds/noisy/run.ts";
import { NO_RUNS, sum, type Score } from "../../test/beds/noisy/score.ts";

const { values: options } = parseArgs({
  options: {
    runs: { type: "string", default: "1000" },
    seed: { type: "string", default: "1" },
    noise: { type: "string", default: "1" },
    parallel: { type: "string", default: String(3 * availableParallelism()) },
    only: { type: "string" },
    json: { type: "boolean", default: false },
    help: { type: "boolean", short: "h", default: false },
  },
});
if (options.help) {
  console.log(`usage: scripts/bench console [--runs N] [--seed N] [--noise FACTOR] [--only journal|plain] [--parallel N] [--json]

Runs a suite of 50 cases over a noisy line, N times each with the journal and with plain signals, and counts what was
lost, invented, wrong or misclassed. Run n has the seed SEED + n: \`--runs 1 --seed S\` replays it. See docs/noise.md.`);
  process.exit(0);
}

const runs = Number(options.runs);
const firstSeed = Number(options.seed);
const factor = Number(options.noise);

const measured: Record<string, Score> = {};
for (const name of ["journal", "plain"]) {
  if (options.only !== undefined && options.only !== name) continue;
  const started = Date.now();
  measured[name] = await allRuns(name === "journal");
  console.error(`${name}: ${runs} runs in ${Math.round((Date.now() - started) / 1000)} s`);
}
console.log(options.json ? JSON.stringify(measured) : table(measured));

/** So many at a time: most of a run is waiting. */
async function allRuns(journal: boolean): Promise<Score> {
  let total = NO_RUNS;
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < runs) {
      const seed = firstSeed + next++;
      const ran = await noisyRun({ seed, factor, journal });
      total = sum(total, ran);
      if (journal && ran.problems.length > 0) tell(ran);
    }
  };
  await Promise.all(Array.from({ length: Number(options.parallel) }, worker));
  return total;
}

function tell({ seed, kind, problems, log }: NoisyRan): void {
  const file = path.join(tmpdir(), `pumice-noisy-${seed}.log`);
  writeFileSync(file, log);
  console.error(`seed ${seed} (${kind}), its log in ${file}:`);
  for (const problem of problems.slice(0, 5)) console.error(`  ${problem.slice(0, 400)}`);
  console.error(
    `  again: scripts/bench console --only journal --runs 1 --seed ${seed} --noise ${factor}`,
  );
}

function table(all: Readonly<Record<string, Score>>): string {
  const names = Object.keys(NO_RUNS) as (keyof Score)[];
  const rows = Object.entries(all).map(([name, score]) =>
    [name.padEnd(8), ...names.map((each) => String(score[each]).padStart(each.length))].join("  "),
  );
  return [["".padEnd(8), ...names].join("  "), ...rows].join("\n");
}
