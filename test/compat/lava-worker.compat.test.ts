import { rmSync } from "node:fs";
import path from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { processesOf, until } from "../support/real-lab.ts";
import { recorded } from "../support/recorded-calls.ts";
import {
  connectionsTo,
  hasLavaWorker,
  stockBench,
  stockJob,
  type StockBench,
} from "./stock-bench.ts";
import { lacking } from "../support/lacking.ts";

const SMOKE = [
  "lava-test-case linux --shell uname -a",
  "lava-test-case a-fail --result fail",
  "lava-test-case a-skip --result skip",
  "lava-test-case boot-time --result pass --measurement 12.5 --units seconds",
  "lava-test-set start group1",
  "lava-test-case in-set --result pass",
  "lava-test-set stop group1",
];
/** Some seconds in which something can happen to the lab, with a result in each. */
const SLOW = [
  'i=0; while [ "$i" -lt 8 ]; do i=$((i+1)); lava-test-case "step-$i" --result pass; sleep 1; done',
];
const STEPS = Array.from({ length: 8 }, (_, n) => `step-${n + 1}`);

describe.skipIf(lacking(!hasLavaWorker, "lava-worker is missing"))("a stock lava-worker", () => {
  let bench: StockBench;
  beforeAll(async () => {
    bench = await stockBench();
  });
  afterEach(() => bench.stopWorker());
  afterAll(() => bench.close());

  const slowJob = () => bench.submit(stockJob(bench.shelf, SLOW));
  const stepsOf = async (id: number) =>
    (await bench.results(id)).filter(({ suite }) => suite === "0_smoke").map(({ name }) => name);
  const deviceIsIdle = () =>
    until(
      async () => (await bench.api<{ state: string }>("GET", "/devices/qemu-01")).state === "Idle",
    );

  test("runs a QEMU job from our queue to Complete, with its results and its log", async () => {
    bench.startWorker();
    const id = await bench.submit(stockJob(bench.shelf, SMOKE));
    const job = await bench.finished(id);
    expect(job).toMatchObject({ health: "Complete", worker: "stock", device: "qemu-01" });
    const log = await bench.log(id);
    expect(log).toHaveLength(job.log_lines);
    const target = log.filter(({ lvl }) => lvl === "target").map(({ msg }) => String(msg));
    expect(target.some((line) => line.includes("Linux version"))).toBe(true);
    expect(log.filter(({ msg }) => String(msg).startsWith("Pumice:"))).toEqual([]);
    const results = await bench.results(id);
    const smoke = results.filter(({ suite }) => suite === "0_smoke");
    expect(smoke.map(({ name, result }) => [name, result])).toEqual([
      ["linux", "pass"],
      ["a-fail", "fail"],
      ["a-skip", "skip"],
      ["boot-time", "pass"],
      ["in-set", "pass"],
    ]);
    expect(smoke[3]).toMatchObject({ measurement: 12.5, units: "seconds" });
    expect(smoke[4]).toMatchObject({ set: "group1" });
    expect(results.at(-1)).toMatchObject({ suite: "lava", name: "job", result: "pass" });
    const worker = { kind: "stock", state: "Online", version: "2023.01" };
    expect(await bench.worker()).toMatchObject(worker);
    recorded("Stock workers", "lava-worker 2023.01");
  });

  test("goes on with a job when the control plane is killed and started again", async () => {
    bench.startWorker();
    const id = await slowJob();
    await bench.logHas(id, "step-2");
    await bench.killServer();
    await bench.startServer();
    expect(await bench.finished(id)).toMatchObject({ health: "Complete" });
    expect(await stepsOf(id)).toEqual(STEPS);
    const steps = (await bench.log(id)).filter(({ lvl }) => lvl === "results");
    expect(steps.filter(({ msg }) => JSON.stringify(msg).includes('"case":"step-'))).toHaveLength(
      8,
    );
  });

  test("goes on with a job when it is killed itself and started again", async () => {
    bench.startWorker();
    const id = await slowJob();
    await bench.logHas(id, "step-2");
    await bench.stopWorker("SIGKILL");
    bench.startWorker();
    expect(await bench.finished(id)).toMatchObject({ health: "Complete" });
    expect(await stepsOf(id)).toEqual(STEPS);
  });

  test("delivers a job that ended while it was not there", async () => {
    bench.startWorker();
    const id = await slowJob();
    await bench.logHas(id, "step-2");
    await bench.stopWorker("SIGKILL");
    await bench.logHas(id, "step-8");
    await until(() => processesOf(path.join(bench.workDir, `tmp/${id}`)).length === 0);
    expect((await bench.job(id)).state).toBe("Running");
    bench.startWorker();
    expect(await bench.finished(id)).toMatchObject({ health: "Complete" });
  });

  test("stops a job that is canceled, and its device is Idle again", async () => {
    bench.startWorker();
    const id = await slowJob();
    await bench.logHas(id, "step-2");
    await bench.api("POST", `/jobs/${id}/cancel`);
    expect(await bench.finished(id)).toMatchObject({ health: "Canceled", error_type: "Canceled" });
    await deviceIsIdle();
    expect((await bench.api<{ health: string }>("GET", "/devices/qemu-01")).health).toBe("Good");
  });

  test("never hears of a job that is canceled before it has fetched it", async () => {
    const id = await bench.submit(stockJob(bench.shelf, SMOKE));
    await until(async () => (await bench.job(id)).state === "Scheduled");
    await bench.api("POST", `/jobs/${id}/cancel`);
    bench.startWorker();
    expect(await bench.finished(id)).toMatchObject({ health: "Canceled" });
    await deviceIsIdle();
    expect((await bench.api<{ health: string }>("GET", "/devices/qemu-01")).health).toBe("Good");
    expect(bench.said()).not.toContain(`[${id}] server => START`);
  });

  test("does not begin a job anew when it has lost it: the job is Incomplete", async () => {
    bench.startWorker();
    const id = await slowJob();
    await bench.logHas(id, "step-2");
    await bench.stopWorker("SIGKILL");
    for (const pid of processesOf(path.join(bench.workDir, `tmp/${id}`))) process.kill(pid, 9);
    rmSync(path.join(bench.workDir, "db.sqlite3"));
    bench.startWorker();
    expect(await bench.finished(id)).toMatchObject({
      health: "Incomplete",
      error_type: "Infrastructure",
      error_msg: "worker stock has lost the job: it wanted to begin it again",
    });
    await deviceIsIdle();
    await bench.api("POST", "/devices/qemu-01/health", { health: "Good" });
  });

  test("gets no jobs while its version is none that the lab serves, and is told why", async () => {
    const served = (versions: string[]) =>
      bench.api("PUT", "/settings", { settings: { stock_workers: { versions } } });
    await served(["2024.*"]);
    bench.startWorker();
    await until(() => bench.said().includes("Version mismatch '2023.01' vs '2024.*'"));
    expect(await bench.worker()).toMatchObject({
      state: "Offline",
      notice: expect.stringContaining("stock_workers") as string,
    });
    await served(["2023.*"]);
    await until(async () => (await bench.worker()).state === "Online");
  });

  test("asks at once when the event stream says that it has something to do", async () => {
    const ws = `${bench.url().replace("http", "ws")}/ws/?token=${bench.workerToken}`;
    const args = ["--name", "stock", "--token", bench.workerToken, "--ping-interval", "600"];
    const worker = bench.startWorker([...args, "--ws-url", ws]);
    // One for its questions, one for the stream, of which it does not say that it is there.
    await until(() => connectionsTo(Number(new URL(bench.url()).port), worker) === 2);
    const id = await bench.submit(stockJob(bench.shelf, SLOW));
    await bench.logHas(id, "step-1");
    await bench.api("POST", `/jobs/${id}/cancel`);
    await until(() => processesOf(path.join(bench.workDir, `tmp/${id}`)).length === 0);
    expect((await bench.job(id)).state).toBe("Canceling");
    recorded("Stock workers", "lava-worker --ws-url");
    await bench.stopWorker();
    bench.startWorker();
    expect(await bench.finished(id)).toMatchObject({ health: "Canceled" });
  });

  test("registers itself from a network of the setting", async () => {
    bench.startWorker(["--name", "newcomer"], path.join(bench.workDir, "newcomer"));
    await until(async () => {
      const { workers } = await bench.api<{ workers: { name: string; state: string }[] }>(
        "GET",
        "/workers",
      );
      return workers.some(({ name, state }) => name === "newcomer" && state === "Online");
    });
    expect(await bench.worker("newcomer")).toMatchObject({ kind: "stock", devices: [] });
  });
});
