import { rmSync } from "node:fs";
import path from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { processesOf, until } from "../support/real-lab.ts";
import { recorded } from "../support/recorded-calls.ts";
import { noLava, realLava, type RealLava } from "../support/real-lava.ts";
import { lavaBench, type LavaBench } from "./lava-bench.ts";

const SMOKE = [
  "lava-test-case linux --shell uname -a",
  "lava-test-case a-fail --result fail",
  "lava-test-case a-skip --result skip",
  "lava-test-case boot-time --result pass --measurement 12.5 --units seconds",
  "printf 'a\\177b\\302\\205c\\360\\237\\230\\200\\033[0m\\n'",
];
/** Some seconds in which something can happen, with a result in each. */
const SLOW = [
  'i=0; while [ "$i" -lt 8 ]; do i=$((i+1)); lava-test-case "step-$i" --result pass; sleep 1; done',
];
const STEPS = Array.from({ length: 8 }, (_, n) => `step-${n + 1}`);

const reason = noLava();
if (reason !== undefined) console.warn(`no LAVA server to test with: ${reason}`);
const isOwn = !process.env["PUMICE_TEST_LAVA"];

describe.skipIf(reason !== undefined)("our worker at a stock LAVA server", () => {
  let lava: RealLava;
  let bench: LavaBench;
  beforeAll(async () => {
    lava = await realLava();
    bench = await lavaBench(lava);
  });
  afterEach(() => bench.stopWorker());
  afterAll(async () => {
    await bench?.close();
    await lava?.close();
  });

  const stepsOf = async (id: number) => (await bench.tests(id, "0_smoke")).map(({ name }) => name);
  const runnersOf = (id: number) => processesOf(path.join(bench.workDir, `jobs/${id}`));

  test("runs a QEMU job from LAVA's queue to Complete, with its results and its log", async () => {
    bench.startWorker();
    const id = await bench.submit(SMOKE);
    expect(await bench.finished(id)).toMatchObject({ health: "Complete", failure_comment: null });
    const tests = await bench.tests(id, "0_smoke");
    expect(tests.map(({ name, result }) => [name, result])).toEqual([
      ["linux", "pass"],
      ["a-fail", "fail"],
      ["a-skip", "skip"],
      ["boot-time", "pass"],
    ]);
    expect(tests[3]).toMatchObject({ measurement: "12.5000000000", unit: "seconds" });
    const own = await bench.tests(id, "lava");
    expect(own.at(-1)).toMatchObject({ name: "job", result: "pass" });
    expect(own.find(({ name }) => name === "login-action")?.unit).toBe("seconds");
    const log = await bench.log(id);
    expect(log).toContain("Linux version");
    expect(log.trimEnd().split("\n").at(-1)).toContain('"case":"job"');
    expect(log).not.toContain("refused this record");
    expect(await bench.deviceHealth()).toBe("Good");
    recorded("Our worker at LAVA", "lava-server 2023.01");
  });

  test("stops a job that is canceled", async () => {
    bench.startWorker();
    const id = await bench.submit(SLOW);
    await bench.logHas(id, "step-2");
    await bench.cancel(id);
    expect(await bench.finished(id)).toMatchObject({ health: "Canceled" });
    await until(() => runnersOf(id).length === 0);
  });

  test("goes on with a job when it is killed and started again, each result once", async () => {
    bench.startWorker();
    const id = await bench.submit(SLOW);
    await bench.logHas(id, "step-2");
    await bench.stopWorker("SIGKILL");
    bench.startWorker();
    expect(await bench.finished(id)).toMatchObject({ health: "Complete" });
    expect(await stepsOf(id)).toEqual(STEPS);
  });

  test("delivers a job that ended while it was not there", async () => {
    bench.startWorker();
    const id = await bench.submit(SLOW);
    await bench.logHas(id, "step-2");
    await bench.stopWorker("SIGKILL");
    await until(() => runnersOf(id).length === 0, 100);
    bench.startWorker();
    expect(await bench.finished(id)).toMatchObject({ health: "Complete" });
    expect(await stepsOf(id)).toEqual(STEPS);
  });

  test("does not begin a job anew that it has lost: it is Incomplete, and LAVA is told why", async () => {
    bench.startWorker();
    const id = await bench.submit(SLOW);
    await bench.logHas(id, "step-2");
    await bench.stopWorker("SIGKILL");
    bench.killRunners();
    rmSync(bench.workDir, { recursive: true });
    bench.startWorker();
    const job = await bench.finished(id);
    expect(job).toMatchObject({ health: "Incomplete" });
    expect(job.failure_comment).toMatch(/\w/);
    expect((await stepsOf(id)).filter((name) => name === "step-1")).toHaveLength(1);
    expect((await bench.tests(id, "lava")).at(-1)).toMatchObject({ name: "job", result: "fail" });
    expect(await bench.log(id)).toContain(job.failure_comment);
  });

  test("begins at once when the event stream says that there is something to do", async () => {
    bench.startWorker(["--ping-interval", "60"]);
    await until(async () => (await bench.workerState()) === "Online", 100);
    const id = await bench.submit(SMOKE);
    expect(await bench.finished(id)).toMatchObject({ health: "Complete" });
    recorded("Our worker at LAVA", "its event stream");
  });

  test.skipIf(!isOwn)("goes on with a job when the server is restarted", async () => {
    bench.startWorker();
    const id = await bench.submit(SLOW);
    await bench.logHas(id, "step-2");
    await lava.restart?.();
    expect(await bench.finished(id)).toMatchObject({ health: "Complete" });
    expect(await stepsOf(id)).toEqual(STEPS);
  });
});
