import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import path from "node:path";
import { parseArgs } from "node:util";
import { numberOf, readCommandLine } from "../command-line.ts";
import { startGuestDut } from "../../test/beds/noisy/guest-dut.ts";
import { noisyRun, type NoisyDut, type NoisyRan } from "../../test/beds/noisy/run.ts";
import { NO_RUNS, sum, type Score } from "../../test/beds/noisy/score.ts";

const { values: options } = readCommandLine("bench console", () =>
  parseArgs({
    options: {
      runs: { type: "string", default: "1000" },
      seed: { type: "string", default: "1" },
      noise: { type: "string", default: "1" },
      parallel: { type: "string", default: String(8 * availableParallelism()) },
      guest: { type: "string" },
      only: { type: "string" },
      json: { type: "boolean", default: false },
      help: { type: "boolean", short: "h", default: false },
    },
  }),
);
if (options.help) {
  console.log(`usage: scripts/bench console [--runs N] [--seed N] [--noise FACTOR] [--guest N] [--only journal|plain] [--parallel N] [--json]

Runs a suite of 50 cases over a noisy line, N times each with the journal and with plain signals, and counts what was
lost, invented, wrong or misclassed. Run n has the seed SEED + n: \`--runs 1 --seed S\` replays it. The first N
runs (20, when there are 100 or more) are on a guest in QEMU, all others on shells of this machine. See docs/noise.md.`);
  process.exit(0);
}

const runs = numberOf("bench console", "runs", options.runs, 1);
const firstSeed = Number(options.seed);
const guestRuns = Number(options.guest ?? (runs < 100 ? 0 : 20));
const factor = Number(options.noise);

const measured: Record<string, Score> = {};
for (const name of ["journal", "plain"]) {
  if (options.only !== undefined && options.only !== name) continue;
  const started = Date.now();
  measured[name] = await allRuns(name === "journal");
  console.error(`${name}: ${runs} runs in ${Math.round((Date.now() - started) / 1000)} s`);
}
console.log(options.json ? JSON.stringify(measured) : table(measured));

async function allRuns(journal: boolean): Promise<Score> {
  let total = NO_RUNS;
  const one = async (seed: number, dut?: NoisyDut): Promise<void> => {
    const ran = await noisyRun({ seed, factor, journal, ...(dut && { dut }) });
    total = sum(total, ran);
    if (total.runs % 100 === 0) console.error(`${total.runs} runs ...`);
    if (journal && ran.problems.length > 0) tell(ran, dut !== undefined);
  };
  const onGuest = async (): Promise<void> => {
    if (guestRuns === 0) return;
    const folder = mkdtempSync(path.join(tmpdir(), "pumice-bench-console-"));
    const dut = await startGuestDut(folder, console.error);
    try {
      for (let n = 0; n < guestRuns; n++) await one(firstSeed + n, dut);
    } finally {
      await dut.close();
      rmSync(folder, { recursive: true, force: true });
    }
  };
  let next = guestRuns;
  // So many at a time: most of a run is waiting.
  const onShells = Array.from({ length: Number(options.parallel) }, async () => {
    while (next < runs) await one(firstSeed + next++);
  });
  await Promise.all([onGuest(), ...onShells]);
  return total;
}

function tell({ seed, kind, problems, log }: NoisyRan, isOnGuest: boolean): void {
  const file = path.join(tmpdir(), `pumice-noisy-${seed}.log`);
  writeFileSync(file, log);
  console.error(`seed ${seed} (${kind}), its log in ${file}:`);
  for (const problem of problems.slice(0, 5)) console.error(`  ${problem.slice(0, 400)}`);
  console.error(
    `  again: scripts/bench console --only journal --runs 1 --seed ${seed} --noise ${factor}${isOnGuest ? " --guest 1" : ""}`,
  );
}

function table(all: Readonly<Record<string, Score>>): string {
  const names = Object.keys(NO_RUNS) as (keyof Score)[];
  const rows = Object.entries(all).map(([name, score]) =>
    [name.padEnd(8), ...names.map((each) => String(score[each]).padStart(each.length))].join("  "),
  );
  return [["".padEnd(8), ...names].join("  "), ...rows].join("\n");
}
