// Runs the checks and the tests, all of them whatever fails, and ends with one
// line `N passed, N failed` over everything. A file of tests that failed is tried once more, alone, and said to be unsteady when it
// passes then: the beds share their machine with others, and one guest that got no time must not hide what the rest has shown.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import path from "node:path";
import { stripVTControlCharacters } from "node:util";

// `--config FILE PROJECT...`: only these, of another configuration; its own test runs it so.
const [only, config = "test/vitest.config.ts", ...named] =
  process.argv[2] === "--config" ? process.argv.slice(2) : [process.argv[2]];
const checks = [
  ["format", "oxfmt", "--check"],
  ["lint", "oxlint", "--type-aware", "--deny-warnings"],
  ["types", "tsc"],
  ["unused code", "knip"],
  ["known holes of what ships", "node", "scripts/audit-main.ts"],
];
/** Rows of chains: a row begins when all chains of the one before have ended, a project when the one before it in its chain has. */
const rows = { "--fast": [["fast"]], compat: [["compat"]], "--config": [named] }[only]?.map(
  (chain) => [chain],
) ?? [
  [["fast", "methods"]],
  // The second waits much of its time, for LAVA's intervals and for guests that boot, and has the longest files. Both end at about
  // the same time: what runs alone at the end leaves a core idle.
  [
    ["cloud", "cloud-slow", "slow"],
    ["compat", "beds"],
  ],
];
/** Files of tests that failed and are tried again: more are no bad luck. */
const MOST_AGAIN = 12;
const total = { passed: 0, failed: 0, skipped: 0 };
/** Said again at the end: who reads only the last lines of a long run wants to know what failed. */
const failures = [];
const scratch = mkdtempSync(path.join(tmpdir(), "pumice-tests-"));
/** Where the time of the run went, a line each: for whoever makes it shorter. */
const times = [];

const checksOfRun = only === "compat" || only === "--config" ? [] : checks;
// Side by side: each has its time in which it uses one core.
await timed("checks", () =>
  Promise.all(
    checksOfRun.map(async ([name, command, ...args]) => {
      const into = path.join(scratch, `${name.replaceAll(" ", "-")}.txt`);
      const { status } = await run(command, args, { into });
      total[status === 0 ? "passed" : "failed"] += 1;
      if (status !== 0) failures.push(name);
      console.log(`${status === 0 ? "ok" : "FAILED"}: ${name}`);
    }),
  ),
);
const files = [];
for (const row of rows) await Promise.all(row.map((chain, n) => runChain(chain, n > 0)));
const failed = files.filter(({ why }) => why.length > 0);
const unsteady = [];
for (const file of failed.length > MOST_AGAIN ? [] : failed)
  unsteady.push(...(await tryAgain(file)));
rmSync(scratch, { recursive: true });
if (rows.length > 1) sayTimes();

for (const file of files) {
  for (const what of Object.keys(total)) total[what] += file[what];
  failures.push(...file.why);
}
for (const what of unsteady) console.log(`UNSTEADY, passed when it was tried again alone: ${what}`);
for (const failure of failures) console.log(`FAILED: ${failure}`);
const skipped = total.skipped ? `, ${total.skipped} skipped` : "";
console.log(`${total.passed} passed, ${total.failed} failed${skipped}`);
process.exitCode = total.failed ? 1 : 0;

async function runChain(projects, isQuiet) {
  for (const project of projects) {
    files.push(...(await timed(project, () => runProject(project, { isQuiet }))));
  }
}

/** Does something and notes how long that took, and how much of it the machine's cores had nothing to do. */
async function timed(what, does) {
  const [began, before] = [performance.now(), coresTimes()];
  const done = await does();
  const after = coresTimes();
  const idle = (100 * (after.idle - before.idle)) / Math.max(1, after.all - before.all);
  const seconds = Math.round((performance.now() - began) / 1000);
  times.push(`${what}: ${seconds} s, ${Math.round(idle)} % of the cores idle`);
  return done;
}

/** Milliseconds of all cores since the machine was started. */
function coresTimes() {
  const each = cpus().map(({ times: one }) => one);
  const all = each.flatMap((one) => Object.values(one)).reduce((sum, ms) => sum + ms, 0);
  return { idle: each.reduce((sum, { idle }) => sum + idle, 0), all };
}

function sayTimes() {
  const known = files.filter(({ seconds }) => seconds !== undefined);
  const longest = known.toSorted((a, b) => b.seconds - a.seconds).slice(0, 25);
  for (const line of times) console.log(line);
  for (const { project, file, seconds } of longest) {
    console.log(`${Math.round(seconds)} s ${project}: ${file}`);
  }
}

/** What came of each file of a project: counts, and why what failed did. */
async function runProject(project, { onlyFiles = [], isQuiet = false } = {}) {
  const report = path.join(scratch, `${project}.json`);
  const outside = path.join(scratch, `${project}.outside.json`);
  for (const file of [report, outside]) rmSync(file, { force: true });
  const args = [
    "run",
    `--config=${config}`,
    `--project=${project}`,
    "--reporter=default",
    "--reporter=json",
    `--reporter=${path.join(import.meta.dirname, "outside-errors.mjs")}`,
    `--outputFile.json=${report}`,
    ...onlyFiles,
  ];
  const { status } = await run("vitest", args, {
    env: { ...process.env, PUMICE_OUTSIDE_ERRORS: outside },
    into: isQuiet ? path.join(scratch, `${project}.txt`) : undefined,
  });
  const broken = (why) => ({
    project,
    passed: 0,
    failed: 1,
    skipped: 0,
    why: [`${project}: ${why}`],
  });
  let found;
  let errors;
  try {
    found = JSON.parse(readFileSync(report, "utf8")).testResults.map((one) => ofFile(project, one));
    errors = JSON.parse(readFileSync(outside, "utf8"));
  } catch {
    return [broken("vitest left no report")];
  }
  found.push(...errors.map((why) => broken(`outside of its tests\n${shortened(why)}`)));
  const isWell = found.every(({ failed }) => failed === 0);
  return status !== 0 && isWell ? [...found, broken(`vitest ended with ${status}`)] : found;
}

function ofFile(project, { name, status, message, assertionResults, startTime, endTime }) {
  const file = path.relative(process.cwd(), name);
  const of = (...wanted) => assertionResults.filter((test) => wanted.includes(test.status));
  const why = of("failed").map(
    (test) =>
      `${project}: ${file}: ${test.fullName}\n${shortened(test.failureMessages.join("\n"))}`,
  );
  // A file that can't be loaded or set up.
  if (status === "failed" && why.length === 0)
    why.push(`${project}: ${file}: outside of its tests\n${shortened(message ?? "")}`);
  const counts = { passed: of("passed").length, failed: why.length };
  const seconds = (endTime - startTime) / 1000;
  return {
    project,
    file,
    ...counts,
    skipped: of("pending", "skipped", "todo").length,
    why,
    seconds,
  };
}

/** A file that failed, once more and alone, in place of its first run; gives what was wrong with it then, when it passes. */
async function tryAgain(first) {
  if (first.file === undefined) return [];
  const again = await runProject(first.project, { onlyFiles: [first.file] });
  if (again.length !== 1 || again[0].failed > 0) return [];
  const { why } = first;
  Object.assign(first, again[0]);
  return why;
}

function shortened(text) {
  return stripVTControlCharacters(text).slice(0, 2000);
}

/** `into`: a file that has its output meanwhile; it is shown at the end. */
async function run(command, args, { env = process.env, into } = {}) {
  const title = `\n# ${[command, ...args].join(" ")}`;
  if (into === undefined) console.log(title);
  const out = into === undefined ? "inherit" : openSync(into, "w");
  const child = spawn(command, args, { stdio: ["ignore", out, out], env });
  const [status] = await once(child, "close");
  if (into !== undefined) {
    closeSync(out);
    console.log(title);
    process.stdout.write(readFileSync(into));
  }
  return { status };
}
