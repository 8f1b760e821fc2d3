import { gunzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { parse } from "yaml";
import type { JobList } from "#protocol/api.ts";
import type { Kept, RetentionStep } from "#protocol/retention.ts";
import { findJobItem } from "../../../control-plane/domain/job-record.ts";
import { jobKey } from "../../../control-plane/domain/keys.ts";
import { sweepRetention } from "../../../control-plane/domain/retention/retention-step.ts";
import { tick } from "../../../control-plane/domain/tick.ts";
import { embeddedLab, type EmbeddedLab } from "../../support/embedded-lab.ts";
import { resultLine, testedJob } from "../../support/tested-job.ts";

let lab: EmbeddedLab;
let worker: string;
beforeEach(async () => {
  lab = await embeddedLab();
  worker = await lab.addWorker();
  await lab.addDevice("qemu-01");
});
afterEach(() => lab.close());

const DAY = 24 * 3600;
const RECORDS = [{ dt: "x", lvl: "info", msg: "hello" }, resultLine("0_a", "one", "pass")];
const rules = (list: object[], archive = false) =>
  lab.api("/settings", {
    method: "PUT",
    body: { settings: { retention: { rules: list, archive } } },
  });
const run = (body: object = {}) => lab.api<RetentionStep>("/retention/run", { body });
const ids = async () => (await lab.api<JobList>("/jobs")).jobs.map(({ id }) => id);
const aJobOf = (health: "pass" | "fail" = "pass") => testedJob(lab, worker, RECORDS, { health });
const blobOf = async (key: string) => lab.deps.blobs.get(key);
const text = (bytes: Uint8Array | undefined) => new TextDecoder().decode(bytes);

describe("a rule of retention", () => {
  test("a dry run says what would be removed, and by which rule, and removes nothing", async () => {
    await aJobOf();
    await aJobOf("fail");
    lab.pass(10 * DAY);
    await rules([
      { older_than_days: 20 },
      { older_than_days: 5, health: "Incomplete" },
      { older_than_days: 5, remove: "log" },
    ]);
    expect((await run()).jobs).toMatchObject([
      { id: 1, remove: "log", rule: 3 },
      { id: 2, remove: "job", rule: 2 },
    ]);
    expect(await ids()).toEqual([2, 1]);
  });

  test.each([
    ["submitter", { submitter: "somebody" }],
    ["device type", { device_type: "other" }],
    ["health", { health: "Canceled" }],
    ["age", { older_than_days: 11 }],
  ])("is for jobs of its %s only", async (_what, rule) => {
    await aJobOf();
    lab.pass(10 * DAY);
    await rules([{ older_than_days: 5, ...rule }]);
    expect((await run()).jobs).toEqual([]);
  });

  test("removes a job with its parts and blobs, and the change says why", async () => {
    await aJobOf();
    lab.pass(10 * DAY);
    await rules([{ older_than_days: 5 }]);
    await lab.request("/jobs/1/suites");
    await run({ dry_run: false });
    expect(await ids()).toEqual([]);
    expect((await lab.request("/jobs/1")).status).toBe(404);
    const { partition } = jobKey(1);
    expect((await lab.deps.table.query("main", partition)).items).toEqual([]);
    expect(await blobOf("jobs/1/definition.yaml")).toBeUndefined();
    const { items } = await lab.deps.table.query<{ who: string; reason: string }>(
      "main",
      "changes#job#1",
      { reverse: true, limit: 1 },
    );
    expect(items[0]!.data).toMatchObject({ who: "admin", reason: "retention rule 1" });
  });

  test("for logs leaves the job and its results", async () => {
    await aJobOf();
    lab.pass(10 * DAY);
    await rules([{ older_than_days: 5, remove: "log" }]);
    await run({ dry_run: false });
    expect(await lab.job(1)).toMatchObject({ health: "Complete", log_removed: true });
    expect(await lab.api("/jobs/1/results")).toMatchObject({ results: [{ name: "one" }] });
    const nothingMore = { complete: true, poll_seconds: 0 };
    expect(await lab.api("/jobs/1/log")).toMatchObject({ records: [], ...nothingMore });
    expect(await lab.api("/jobs/1/log-chunks")).toMatchObject({ chunks: [], ...nothingMore });
    // It is done with.
    expect((await run()).jobs).toEqual([]);
  });

  test("spares what somebody keeps, unless it says otherwise", async () => {
    await aJobOf();
    lab.pass(10 * DAY);
    const kept = await lab.api<Kept>("/jobs/1/keep", { method: "PUT" });
    expect(kept).toEqual({ by: ["admin"] });
    await rules([{ older_than_days: 5 }]);
    expect((await run()).jobs).toEqual([]);
    await rules([{ older_than_days: 5, spare_kept: false }]);
    expect((await run()).jobs).toHaveLength(1);
    await rules([{ older_than_days: 5 }]);
    await lab.api("/jobs/1/keep", { method: "DELETE" });
    expect((await run()).jobs).toHaveLength(1);
  });

  test("is for no job that has not ended", async () => {
    await lab.submit();
    lab.pass(10 * DAY);
    await rules([{ older_than_days: 5 }]);
    expect(await run({ dry_run: false })).toMatchObject({ looked_at: 1, jobs: [] });
  });
});

describe("the tick", () => {
  test("removes what the rules say, a few at a time, then rests", async () => {
    for (let n = 0; n < 12; n++) await aJobOf();
    await rules([{ older_than_days: 5 }]);
    await tick(lab.deps);
    expect(await ids()).toHaveLength(12);
    lab.pass(10 * DAY);
    await tick(lab.deps);
    expect(await ids()).toEqual([12, 11]);
    await tick(lab.deps);
    expect(await ids()).toEqual([]);
    await rules([]);
    await tick(lab.deps);
    expect((await lab.deps.table.query("i2", "due")).items).toEqual([]);
  });

  test("leaves everything where there is no rule", async () => {
    await aJobOf();
    lab.pass(1000 * DAY);
    await tick(lab.deps);
    expect(await ids()).toEqual([1]);
  });

  test("goes on where a crash cut it short", async () => {
    await aJobOf();
    lab.pass(10 * DAY);
    await rules([{ older_than_days: 5 }]);
    const { table } = lab.deps;
    let writes = 0;
    const failing = {
      ...table,
      transact: (operations: Parameters<typeof table.transact>[0]) => {
        writes += 1;
        if (writes === 2) throw new Error("crash");
        return table.transact(operations);
      },
    };
    await expect(sweepRetention({ ...lab.deps, table: failing })).rejects.toThrow("crash");
    expect(await findJobItem(lab.deps, 1)).toBeDefined();
    await sweepRetention(lab.deps);
    expect(await findJobItem(lab.deps, 1)).toBeUndefined();
  });
});

describe("an archive", () => {
  test("is written before a job is removed, in files that plain tools read", async () => {
    await aJobOf();
    lab.pass(10 * DAY);
    await rules([{ older_than_days: 5 }], true);
    await run({ dry_run: false });
    const place = "archive/2026/03/01/1";
    expect(JSON.parse(text(await blobOf(`${place}/job.json`)))).toMatchObject({ id: 1 });
    expect(text(await blobOf(`${place}/definition.yaml`))).toContain("job_name: smoke");
    const results = JSON.parse(text(await blobOf(`${place}/results.json`))) as {
      results: object[];
    };
    expect(results.results).toMatchObject([{ name: "one", result: "pass" }]);
    const log = gunzipSync((await blobOf(`${place}/output.yaml.gz`))!).toString();
    expect(parse(log)).toMatchObject([{ msg: "hello" }, { lvl: "results" }]);
  });

  test("stays whole when the log goes first and the job later", async () => {
    await aJobOf();
    lab.pass(10 * DAY);
    await rules([{ older_than_days: 5, remove: "log" }, { older_than_days: 20 }], true);
    await run({ dry_run: false });
    lab.pass(20 * DAY);
    await run({ dry_run: false });
    expect(await ids()).toEqual([]);
    expect(await blobOf("archive/2026/03/01/1/output.yaml.gz")).toBeDefined();
  });
});
