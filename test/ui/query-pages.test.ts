import { afterEach, beforeEach, expect, test } from "vitest";
import { browserSession, type BrowserSession } from "../support/browser-session.ts";
import { embeddedLab, type EmbeddedLab } from "../support/embedded-lab.ts";
import { resultLine, testedJob } from "../support/tested-job.ts";

const HOSTILE = `<script>alert(1)</script>"'&`;

let lab: EmbeddedLab;
let browser: BrowserSession;
beforeEach(async () => {
  lab = await embeddedLab();
  const worker = await lab.addWorker();
  await lab.addDevice("qemu-01");
  browser = await browserSession(lab);
  const speed = (n: number) =>
    resultLine("0_a", "speed", "pass", { measurement: n, units: HOSTILE });
  await testedJob(lab, worker, [resultLine("0_a", HOSTILE, "pass"), speed(10)]);
  await testedJob(lab, worker, [resultLine("0_a", HOSTILE, "fail"), speed(20)]);
  const body = { entity: "testcase", description: HOSTILE };
  await lab.api("/queries/admin/all", { method: "PUT", body });
});
afterEach(() => lab.close());

async function show(path: string): Promise<string> {
  const answer = await browser.get(path);
  const html = await answer.text();
  if (answer.status !== 200) throw new Error(`${path}: ${answer.status} ${html}`);
  expect(html).not.toContain("<script>");
  return html;
}

test("the list of queries leads to each", async () => {
  expect(await show("/queries")).toContain('href="/queries/admin/all"');
});

test("a query's page has its rows and draws its pass rate, with the same as a table that leads to each job", async () => {
  const html = await show("/queries/admin/all");
  expect(html).toContain("Pass rate of 2 jobs");
  expect(html).toContain("job 2, 2026-03-01T12:00: 50 %");
  expect(html).toContain('<a href="/jobs/2">#2</a>');
  expect(html.match(/<circle [^>]*r="3"/g)).toHaveLength(2);
  expect(html).toContain("&lt;script&gt;alert(1)");
});

test("a query's page draws a measurement of a case that the address names", async () => {
  const html = await show("/queries/admin/all?case=speed&suite=0_a");
  expect(html).toContain("speed of 2 jobs");
  expect(html.match(/<circle [^>]*r="3"/g)).toHaveLength(4);
});

test("the page of a comparison names regressions and measurements", async () => {
  const html = await show("/compare?before=1&after=2");
  expect(html).toContain("Regressions: 1");
  expect(html).toContain("Measurements: 1");
  expect(html).toContain("100 %");
});

test("a job's page leads to its results in other formats", async () => {
  const html = await show("/jobs/1");
  for (const format of ["csv", "yaml", "tap"]) {
    expect(html).toContain(`/api/v1/jobs/1/results.${format}`);
  }
});
