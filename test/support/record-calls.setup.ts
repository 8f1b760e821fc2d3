import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { afterAll, afterEach, beforeEach, type TestContext } from "vitest";
import { listenToCalls, type Call } from "./recorded-calls.ts";
import { recordOf, RECORDS, type CallRecord } from "../compat/call-records.ts";

/*
 * While the tests of LAVA's surfaces run, each call that a lab answered is noted; those of a test that passed are kept. When a file has
 * passed as a whole, they must be what is written for it in test/compat/recorded: what docs/compatibility.md says works is called by a
 * test that passes, or the run fails. `PUMICE_WRITE_DOCS=1` writes it.
 */

type Task = TestContext["task"];
const root = path.resolve(import.meta.dirname, "../..");
/** What was called by a test that passed, with the first that did. */
const kept = new Map<string, { call: Call; test: string }>();
let heard: Call[] = [];
/** The file whose tests run; none while all are skipped. */
let running: Task["file"] | undefined;

const isAbout = ({ filepath }: Task["file"]): boolean => /test\/(lava|compat)\//.test(filepath);

beforeEach(({ task }) => {
  heard = [];
  running = task.file;
  if (isAbout(running)) listenToCalls((call) => void heard.push(call));
});

afterEach(({ task }) => {
  listenToCalls(undefined);
  if (task.result?.state === "fail") return;
  for (const call of heard) {
    const key = JSON.stringify(call);
    if (!kept.has(key)) kept.set(key, { call, test: nameOf(task) });
  }
});

afterAll(async () => {
  if (!running || !isAbout(running) || process.env["PUMICE_TEST_ENGINE"] === "aws") return;
  const { filepath } = running;
  const tests = testsIn(running);
  // Nothing can be said of a part, nor of what failed anyway.
  if (tests.some(({ result, mode }) => mode !== "run" || result?.state !== "pass")) return;
  const { COMPATIBILITY } = await import("../compat/compatibility.ts");
  const found = recordOf(path.relative(root, filepath), [...kept.values()], COMPATIBILITY);
  const file = path.join(RECORDS, `${path.basename(filepath, ".test.ts")}.json`);
  const there = existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as CallRecord) : null;
  if (Object.keys(found.calls).length === 0 && there === null) return;
  if (process.env["PUMICE_WRITE_DOCS"]) {
    mkdirSync(RECORDS, { recursive: true });
    writeFileSync(file, `${JSON.stringify(found, null, 2)}\n`);
    return;
  }
  const [now, before] = [found, there].map((record) =>
    Object.entries(record?.calls ?? {}).map(([call, test]) => `${call} (${test})`),
  ) as [string[], string[]];
  const gone = before.filter((one) => !now.includes(one));
  const more = now.filter((one) => !before.includes(one));
  if (gone.length + more.length === 0) return;
  const what = `test/compat/recorded/${path.basename(file)} says otherwise; PUMICE_WRITE_DOCS=1 writes it`;
  throw new Error([`${what}.`, "Not called any more:", ...gone, "Called now:", ...more].join("\n"));
});

interface Tree {
  readonly tasks: readonly (Tree | Task)[];
}
const testsIn = ({ tasks }: Tree): Task[] =>
  tasks.flatMap((task) => ("tasks" in task ? testsIn(task) : [task]));

function nameOf(task: Task): string {
  const names = [task.name];
  for (let { suite } = task; suite; { suite } = suite) names.unshift(suite.name);
  return names.filter((name) => name !== "").join(": ");
}
