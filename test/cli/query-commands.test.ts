import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { gunzipSync } from "node:zlib";
import { afterEach, beforeEach, expect, test } from "vitest";
import { parse } from "yaml";
import { cli } from "../support/cli-run.ts";
import { listeningLab } from "../support/listening-lab.ts";
import { resultLine, testedJob } from "../support/tested-job.ts";

let lab: Awaited<ReturnType<typeof listeningLab>>;
let worker: string;
let dir: string;
const pumice = (...args: string[]) =>
  cli(args, { PUMICE_URL: lab.url, PUMICE_TOKEN: lab.adminToken });

beforeEach(async () => {
  lab = await listeningLab();
  worker = await lab.addWorker();
  await lab.addDevice("qemu-01");
  dir = mkdtempSync(path.join(tmpdir(), "pumice-cli-"));
  const speed = (n: string) =>
    resultLine("0_a", "speed", "pass", { measurement: n, units: "MB/s" });
  await testedJob(lab, worker, [resultLine("0_a", "boots", "pass"), speed("10")]);
  await testedJob(lab, worker, [resultLine("0_a", "boots", "fail"), speed("12.5")]);
});
afterEach(async () => {
  await lab.close();
  rmSync(dir, { recursive: true, force: true });
});

test("queries are added, listed, run and removed", async () => {
  const added = await pumice("queries", "add", "admin/red", "--where", "testcase__result__fail");
  expect(added).toMatchObject({ code: 0 });
  expect((await pumice("queries")).out).toContain("testcase__result__exact__fail");
  expect((await pumice("queries", "show", "admin/red")).out).toContain('"entity": "testjob"');
  const { out } = await pumice("queries", "run", "admin/red");
  expect(out.split("\n")[1]).toMatch(/^2 +Complete +qemu-01/);
  const cases = await pumice("queries", "run", "--where", "name__speed", "--entity", "testcase");
  expect(cases.out).toMatch(/2 .*speed +pass +12\.5 MB\/s/);
  expect((await pumice("queries", "remove", "admin/red")).code).toBe(0);
  expect((await pumice("queries", "run", "admin/red")).code).toBe(2);
});

test("compare exits 1 when something passed before and fails now", async () => {
  const { code, out, said } = await pumice("compare", "1", "2");
  expect(code).toBe(1);
  expect(out).toMatch(/regression +0_a +boots +pass +fail/);
  expect(out).toMatch(/measurement +0_a +speed +10 +12\.5 +\+25 %/);
  expect(said).toContain("1 tests have the same result, 1 are regressions");
  expect((await pumice("compare", "1", "1")).code).toBe(0);
});

test("flaky and chart print tables", async () => {
  expect((await pumice("flaky")).out).toMatch(/0_a +boots +qemu +too few runs +1 +1 +1 +2/);
  expect((await pumice("chart")).out).toMatch(/1 .* 100 %\n2 .* 50 %/);
  const drawn = (await pumice("chart", "--omit", "1", "--group-by", "build", "--target", "60")).out;
  expect(drawn).toMatch(/^JOB +ENDED \(UTC\) +VALUE +BUILD +TARGET 60\n2 .* 50 % .*below/);
  expect((await pumice("chart", "--target", "high")).code).toBe(2);
  expect((await pumice("chart", "speed", "--suite", "0_a")).out).toMatch(/10 MB\/s\n2 .*12\.5 MB/);
});

test("results come in every format", async () => {
  expect((await pumice("results", "2", "--format", "tap")).out).toContain("not ok 1 - 0_a boots");
  expect((await pumice("results", "2", "--format", "csv", "--suite", "0_a")).out).toContain(
    '"boots"',
  );
  expect((await pumice("results", "2", "--format", "xls")).code).toBe(2);
});

test("kept jobs survive retention, others don't; a dry run says which", async () => {
  const rules = "[{older_than_days: 1}]";
  expect((await pumice("settings", "set", "retention.rules", rules)).code).toBe(0);
  expect((await pumice("jobs", "keep", "1")).said).toContain("kept by admin");
  lab.pass(3 * 24 * 3600);
  const dry = await pumice("retention", "run", "--dry-run");
  expect(dry.out).toMatch(/\n2 +job +1 /);
  expect(dry.said).toContain("1 jobs or logs would be removed");
  expect((await pumice("retention", "run")).said).toContain("1 jobs or logs were removed");
  expect((await pumice("jobs", "--json")).out).toContain('"id": 1');
  expect((await pumice("show", "2")).code).toBe(2);
  expect((await pumice("jobs", "let-go", "1")).said).toContain("nobody keeps it");
});

test("archive writes a job to a folder", async () => {
  const { code, out } = await pumice("archive", "2", "--to", dir);
  expect(code).toBe(0);
  const place = path.join(dir, "2026", "03", "01", "2");
  expect(out.trim()).toBe(place);
  expect(JSON.parse(readFileSync(path.join(place, "job.json"), "utf8"))).toMatchObject({ id: 2 });
  const log = gunzipSync(readFileSync(path.join(place, "output.yaml.gz"))).toString();
  expect(parse(log)).toHaveLength(2);
  expect(readFileSync(path.join(place, "results.json"), "utf8")).toContain('"boots"');
});
