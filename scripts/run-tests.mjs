// Runs the checks and the tests one after the other, all of them whatever fails, and ends with one
// line `N passed, N failed` over everything.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { stripVTControlCharacters } from "node:util";

const only = process.argv[2];
const checks = [
  ["format", "oxfmt", "--check"],
  ["lint", "oxlint", "--type-aware", "--deny-warnings"],
  ["types", "tsc"],
  ["unused code", "knip"],
];
const projects = { "--fast": ["fast"], compat: ["compat"] }[only] ?? [
  "fast",
  "methods",
  "cloud",
  "slow",
  "beds",
  "compat",
  "cloud-slow",
];
const total = { passed: 0, failed: 0, skipped: 0 };
/** Said again at the end: who reads only the last lines of a long run wants to know what failed. */
const failures = [];
const scratch = mkdtempSync(path.join(tmpdir(), "pumice-tests-"));

for (const [name, command, ...args] of only === "compat" ? [] : checks) {
  const { status } = run(command, args);
  total[status === 0 ? "passed" : "failed"] += 1;
  if (status !== 0) failures.push(name);
  console.log(`${status === 0 ? "ok" : "FAILED"}: ${name}`);
}
for (const project of projects) count(project);
rmSync(scratch, { recursive: true });

for (const failure of failures) console.log(`FAILED: ${failure}`);
const skipped = total.skipped ? `, ${total.skipped} skipped` : "";
console.log(`${total.passed} passed, ${total.failed} failed${skipped}`);
process.exitCode = total.failed ? 1 : 0;

function count(project) {
  const report = path.join(scratch, `${project}.json`);
  const { status } = run("vitest", [
    "run",
    "--config=test/vitest.config.ts",
    `--project=${project}`,
    "--reporter=default",
    "--reporter=json",
    `--outputFile.json=${report}`,
  ]);
  try {
    const counted = JSON.parse(readFileSync(report, "utf8"));
    total.passed += counted.numPassedTests;
    total.failed += counted.numFailedTests;
    total.skipped += counted.numPendingTests + counted.numTodoTests;
    failures.push(...failedTests(counted).map((failed) => `${project}: ${failed}`));
    // A file that can't be loaded or set up, or an error outside of any test, fails no test but the run.
    const broken = counted.testResults.filter(isBroken);
    total.failed += broken.length;
    for (const { name, message } of broken) {
      const why = stripVTControlCharacters(message ?? "").slice(0, 2000);
      failures.push(
        `${project}: ${path.relative(process.cwd(), name)}: outside of its tests\n${why}`,
      );
    }
    if (status !== 0 && counted.numFailedTests + broken.length === 0) {
      total.failed += 1;
      failures.push(`${project}: outside of its tests`);
    }
  } catch {
    failures.push(`${project}: vitest left no report`);
    total.failed += 1;
  }
}

function isBroken({ status, assertionResults }) {
  return status === "failed" && assertionResults.every((test) => test.status !== "failed");
}

function failedTests({ testResults }) {
  return testResults.flatMap(({ name: file, assertionResults }) =>
    assertionResults
      .filter(({ status }) => status === "failed")
      .map(({ fullName, failureMessages }) => {
        const why = stripVTControlCharacters(failureMessages.join("\n")).slice(0, 2000);
        return `${path.relative(process.cwd(), file)}: ${fullName}\n${why}`;
      }),
  );
}

function run(command, args) {
  console.log(`\n# ${[command, ...args].join(" ")}`);
  return spawnSync(command, args, { stdio: "inherit" });
}
