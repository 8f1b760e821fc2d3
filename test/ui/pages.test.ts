import { gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Settings } from "../../control-plane/domain/deps.ts";
import { getAttempt } from "../../control-plane/domain/job-record.ts";
import { removeLog } from "../../control-plane/domain/retention/remove-job.ts";
import { createTimelineReader } from "../../control-plane/ui/read-timeline.ts";
import { uiApp } from "../../control-plane/ui/app.tsx";
import { browserSession, runningJob, type BrowserSession } from "../support/browser-session.ts";
import { addRelease, aRelease, aSigner } from "../support/a-release.ts";
import { aJob } from "../support/builders.ts";
import { embeddedLab, type EmbeddedLab } from "../support/embedded-lab.ts";
import { sampleLog, SampleLog } from "../support/sample-log.ts";

const HOSTILE = `<script>alert(1)</script>"'&`;
const START = "2026-03-01T12:00:00Z";

let lab: EmbeddedLab;
let browser: BrowserSession;
let worker: string;
beforeEach(async () => {
  lab = await embeddedLab();
  worker = await lab.addWorker();
  await lab.addDevice("qemu-01");
  browser = await browserSession(lab);
});
afterEach(() => lab.close());

async function show(path: string, status = 200): Promise<string> {
  const answer = await browser.get(path);
  const html = await answer.text();
  if (answer.status !== status) throw new Error(`${path}: ${answer.status} ${html}`);
  expect(html).not.toContain("<script>");
  return html;
}
const quoted = (text: string): string => JSON.stringify(text);

describe("the jobs page", () => {
  test("tells a new lab what to do", async () => {
    expect(await show("/")).toContain("No job has been submitted yet");
    expect(await show("/?state=Running")).toContain("No job fits this filter");
  });

  test("shows jobs newest first, and hostile names as text", async () => {
    await lab.submit(aJob({ name: "older" }));
    await lab.submit(aJob({ name: quoted(HOSTILE) }));
    const html = await show("/");
    expect(html.indexOf("&lt;script&gt;alert(1)")).toBeGreaterThan(0);
    expect(html.indexOf("&lt;script&gt;alert(1)")).toBeLessThan(html.indexOf(">older<"));
  });

  test("filters by what the address says, and refuses what is no state", async () => {
    await lab.submit(aJob({ name: "queued" }));
    expect(await show("/?state=Submitted&health=&device=&submitter=admin")).toContain("queued");
    expect(await show("/?health=Complete")).not.toContain("queued");
    expect(await show("/?device_type=qemu")).toMatch(/<option value="qemu" selected/);
    expect(await show("/?state=Bad", 400)).toContain("That cannot be understood");
  });

  test("leads to older and newer pages and keeps the filter", async () => {
    for (let n = 0; n < 120; n++) await lab.submit(aJob({ name: `job-${n}.` }));
    const hrefOf = (html: string, rel: string): string =>
      new RegExp(`rel="${rel}" href="([^"]*)"`).exec(html)![1]!.replaceAll("&amp;", "&");
    const first = await show("/?submitter=admin");
    const second = await show(hrefOf(first, "next"));
    const third = await show(hrefOf(second, "next"));
    expect([first, second, third].map((html) => html.includes("job-60."))).toEqual([
      false,
      true,
      false,
    ]);
    expect(third).toContain("job-0.");
    expect(hrefOf(third, "prev")).toBe(hrefOf(first, "next").replace(/&trail=.*/, ""));
    expect(hrefOf(second, "prev")).toBe("/?submitter=admin");
  });
});

describe("a job's page", () => {
  test("reads a long log's timeline for some seconds at the most, and goes on from there", async () => {
    const { id, token } = await runningJob(lab, worker);
    const log = new SampleLog(START);
    for (let n = 0; n < 12_000; n++) log.add("target", "x");
    await lab.ship(id, token, 0, log.records.slice(0, 6000));
    await lab.ship(id, token, 6000, log.records.slice(6000));
    let now = 0;
    const system = { ...lab.deps.system, now: () => (now += 2000) };
    const readTimeline = createTimelineReader({ ...lab.deps, system });
    const job = await lab.job(id);
    const next = async () => (await readTimeline(lab.admin, job)).next;
    expect([await next(), await next(), await next()]).toEqual([5000, 10_000, 12_000]);
  });

  test("of a waiting job says what it waits for", async () => {
    const id = await lab.submit();
    const html = await show(`/jobs/${id}`);
    expect(html).toMatch(/<b>Waits:<\/b> of 1 fitting device/);
    expect(html).toContain("Nothing has started yet");
    expect(html).toContain("No test has ended yet");
  });

  test("shows timeline, log and results, and ends", async () => {
    const { id, token } = await runningJob(lab, worker);
    const records = sampleLog(START);
    await lab.ship(id, token, 0, records);
    await lab.finish(id, token, { result: "pass", lines: records.length });
    const html = await show(`/jobs/${id}`);
    expect(html).toContain("✓</i>Complete");
    expect(html).toMatch(
      /class="bar done depth1" href="\?start=0#L2">.*<span class="tip">0 validate: done, 0.18 s of 10 min 00 s allowed</,
    );
    expect(html).toMatch(
      /class="line target" id="L\d+".*Started <b class="bold">Journal Service<\/b>/,
    );
    expect(html).toMatch(/<a href="\?start=\d+#L\d+">systemd-running<\/a>/);
    expect(html).toContain("1843.22 MB/s");
    expect(html).toContain(`data-total="${records.length}"`);
    expect(html).not.toContain("Cancel job");
  });

  test("of a failed job says in one sentence what failed and whose fault it is", async () => {
    const { id, token } = await runningJob(lab, worker);
    const records = sampleLog(START, { failure: true });
    await lab.ship(id, token, 0, records);
    const error_msg = "auto-login-action timed out after 120 seconds";
    await lab.finish(id, token, {
      result: "fail",
      error_type: "Job",
      error_msg,
      lines: records.length,
    });
    const html = await show(`/jobs/${id}`);
    expect(html).toContain(`<b>${error_msg}</b>: the job’s fault`);
    expect(html).toMatch(/class="bar failed depth2".*class="tip">2.2 auto-login-action: failed/);
  });

  test("of a failed job leads to the line that shows why, and shows what was awaited as text", async () => {
    const { id, token } = await runningJob(lab, worker);
    const records = sampleLog(START, { failure: true });
    await lab.ship(id, token, 0, records);
    await lab.finish(id, token, {
      result: "fail",
      error_type: "Infrastructure",
      error_msg: "matched a bootloader error message",
      evidence: { pattern: HOSTILE, line: 7 },
      lines: records.length,
    });
    const html = await show(`/jobs/${id}`);
    expect(html).toContain("Pattern: <code>&lt;script&gt;alert(1)");
    expect(html).toMatch(/href="\?start=0#L8">See it in the log/);
  });

  test("of a failed job shows the telling lines before its failure, in colour and without markup", async () => {
    const { id, token } = await runningJob(lab, worker);
    const log = new SampleLog(START);
    for (let n = 0; n < 20; n++) log.add("target", `line ${n};`).add("debug", `detail ${n};`);
    log.add("target", `\u001b[31m${HOSTILE}`, "x".repeat(5000), "");
    const line = log.records.length;
    log.add("error", "it broke").add("info", "end: 1 deploy (duration 00:00:01)");
    await lab.ship(id, token, 0, log.records);
    const lines = log.records.length;
    const failure = { error_type: "Job", error_msg: "it broke", evidence: { line } } as const;
    await lab.finish(id, token, { result: "fail", ...failure, lines });
    const [, shown = ""] =
      /<ol class="failing-lines"[^>]*>(.*?)<\/ol>/s.exec(await show(`/jobs/${id}`)) ?? [];
    expect(shown.match(/<li/g)).toHaveLength(6);
    expect(shown).toContain('<b class="f1">&lt;script&gt;alert(1)');
    expect(shown).toContain("line 19;");
    expect(shown).not.toMatch(/detail|end: 1|line 16/);
    expect(shown).toMatch(
      /<li class="error shows"><a href="\?start=0#L44" aria-label="Line 44">44<.*it broke/,
    );
    expect(shown.length).toBeLessThan(2000);
  });

  test("of a failed job without evidence marks the error, and says no message again", async () => {
    const { id, token } = await runningJob(lab, worker);
    const message = "Login incorrect";
    const log = new SampleLog(START).start("1", "boot-retry").start("1.1", "login-action");
    log.add("target", "login: root", "Login incorrect").end(5, message).end(0, message);
    log.add("error", `JobError: ${message}`);
    await lab.ship(id, token, 0, log.records);
    const lines = log.records.length;
    await lab.finish(id, token, { result: "fail", error_type: "Job", error_msg: message, lines });
    const html = await show(`/jobs/${id}`);
    const [, shown = ""] = /<ol class="failing-lines"[^>]*>(.*?)<\/ol>/s.exec(html) ?? [];
    const texts = [...shown.matchAll(/<li class="([^"]*)">.*?<span>(.*?)<\/span>/g)];
    expect(texts.map(([, level, text]) => `${level}: ${text}`)).toEqual([
      "target: login: root",
      "target: Login incorrect",
      "error shows: Login incorrect",
    ]);
    expect(html).toMatch(/href="\?start=0#L5">See it in the log/);
    expect(html).toContain('data-failure="4"');
  });

  test("of a job whose log was removed says so, and leads nowhere", async () => {
    const { id, token } = await runningJob(lab, worker);
    const records = sampleLog(START, { failure: true });
    await lab.ship(id, token, 0, records);
    const failure = { error_type: "Job", error_msg: "no login", evidence: { line: 90 } } as const;
    await lab.finish(id, token, { result: "fail", ...failure, lines: records.length });
    await removeLog(lab.deps, await getAttempt(lab.deps, id), { who: "a rule" });
    const html = await show(`/jobs/${id}`);
    expect(html).toContain("The log was removed by a rule of retention. Its results");
    expect(html).toContain("It was removed with the log.");
    expect(html).toContain("log-panel no-lines");
    expect(html).not.toMatch(/<p id="no-log"[^>]*hidden/);
    expect(html).toContain("no login</b>: the job’s fault");
    expect(html).not.toMatch(/See it in the log|failing-lines|As far as line/);
  });

  test("tells a job that passed on retry, and its failed attempts do not count", async () => {
    const { id, token } = await runningJob(lab, worker);
    const attempt = "1 of 3";
    const failure = { level: "2", attempt, retried: true, attempt_start: 0 };
    const log = new SampleLog(START)
      .result("0_smoke", "boots", "fail", { attempt })
      .result("lava", "u-boot-action", "fail", failure)
      .result("0_smoke", "boots", "pass", { attempt: "2 of 3" });
    await lab.ship(id, token, 0, log.records);
    const passed = { action: "uboot-retry", level: "2", attempt: 2, of: 3 };
    await lab.finish(id, token, {
      result: "pass",
      retries: 1,
      passed_on_retry: [passed],
      lines: log.records.length,
    });
    const html = await show(`/jobs/${id}`);
    expect(html).toContain("<b>Passed on retry:</b> uboot-retry on attempt 2 of 3");
    expect(html).toMatch(/<tr class="retried">.*boots<\/a><small>failed attempt 1 of 3/);
    expect(html).toMatch(/Tests<\/dt><dd>.*1 pass<\/span><\/span>/);
    expect(html).not.toContain("1 fail<");
  });

  test("of a job that went back to the queue has each attempt's log, results and timeline", async () => {
    const { id, token } = await runningJob(lab, worker, { lines: ["retry_on: infrastructure"] });
    const records = sampleLog(START, { failure: true });
    await lab.ship(id, token, 0, records);
    const error_msg = "no power";
    const fault = { result: "fail", error_type: "Infrastructure", error_msg } as const;
    await lab.finish(id, token, { ...fault, lines: records.length });
    const now = await show(`/jobs/${id}`);
    expect(now).toContain("Attempt 1 on qemu-01 failed: Infrastructure: no power.");
    expect(now).toContain(`href="/jobs/${id}?attempt=1"`);
    expect(now).toContain("Nothing has started yet.");
    expect(now).toContain('data-attempt="2"');

    const before = await show(`/jobs/${id}?attempt=1`);
    expect(before).toContain("This is attempt 1 of the job.");
    expect(before).toContain(`<a href="/jobs/${id}">The job now</a>`);
    expect(before).toContain('data-attempt="1"');
    expect(before).toMatch(/class="bar failed depth2" href="\?attempt=1&amp;start=\d+#L\d+"/);
    expect(before).toContain("log?attempt=1&amp;format=yaml");
    expect(before).toContain(`href="/jobs/${id}/plan?attempt=1"`);
    expect(await show(`/jobs/${id}/plan?attempt=1`)).toContain(`href="/jobs/${id}?attempt=1"`);
    expect(before).not.toContain("Cancel job");
    const refreshed = await show(`/jobs/${id}/parts?attempt=1`);
    expect(refreshed).toContain('data-state="Finished"');
    await show(`/jobs/${id}?attempt=3`, 404);
    expect(await show("/devices/qemu-01")).toContain(`href="/jobs/${id}?attempt=1"`);
    await removeLog(lab.deps, await getAttempt(lab.deps, id), { who: "a rule" });
    expect(await show(`/jobs/${id}?attempt=1`)).toContain("The log was removed by a rule");
  });

  test("shows hostile log lines, results and names as text", async () => {
    const { id, token } = await runningJob(lab, worker, { name: quoted(HOSTILE) });
    const log = new SampleLog(START)
      .add("target", HOSTILE, `\u001b[31m${HOSTILE}`)
      .add(HOSTILE, HOSTILE);
    log
      .start("1", HOSTILE.replaceAll(" ", ""))
      .result(HOSTILE, HOSTILE, "fail", { set: HOSTILE, units: HOSTILE, measurement: 1 });
    await lab.ship(id, token, 0, log.records);
    await lab.finish(id, token, { result: "fail", error_msg: HOSTILE, lines: log.records.length });
    const html = await show(`/jobs/${id}`);
    expect(html).not.toMatch(/<script(?! type="module" src="\/assets\/)/);
    expect(html.split("&lt;script&gt;").length).toBeGreaterThan(8);
    await lab.api(`/jobs/${id}/annotations`, { body: { text: HOSTILE } });
    for (const part of ["", "/parts", "/definition", "/plan", "/device", "/results", "/similar"])
      await show(`/jobs/${id}${part}`);
    for (const path of ["/", `/jobs/${id}/metadata`, `/submit?from=${id}`]) await show(path);
  });

  test("serves a part of a long log, from any line, with links to what comes before and after", async () => {
    const { id, token } = await runningJob(lab, worker);
    const log = new SampleLog(START);
    for (let n = 0; n < 2500; n++) log.add("target", `number ${n};`);
    await lab.ship(id, token, 0, log.records);
    const last = await show(`/jobs/${id}`);
    expect(last).toContain("number 2499;");
    expect(last).not.toContain("number 1999;");
    expect(last).toMatch(/id="older" class="more" href="\?start=1500">/);
    const part = await show(`/jobs/${id}?start=400`);
    expect(part).toContain('id="L401"');
    expect(part).toMatch(/id="older" class="more" href="\?start=0">/);
    expect(part).toMatch(/id="newer" class="more" href="\?start=900">/);
    await lab.finish(id, token, { result: "pass", lines: 2500 });
    const first = await show(`/jobs/${id}`);
    expect(first).toContain("number 499;");
    expect(first).not.toContain("number 500;");
    expect(first).toMatch(/id="newer" class="more" href="\?start=500">/);
    expect(await show(`/jobs/${id}?start=99999`)).toContain('data-next="2500"');
  });

  test("sends less than 60 kB with a log of 700 lines, styles and scripts", async () => {
    const { id, token } = await runningJob(lab, worker);
    const records = Array.from({ length: 6 }, () => sampleLog(START))
      .flat()
      .slice(0, 700);
    await lab.ship(id, token, 0, records);
    const html = await show(`/jobs/${id}`);
    const paths = [
      ...html.matchAll(/(?:href|src|data-worker|data-search)="(\/assets\/[^"]+)"/g),
    ].map(([, path]) => path!);
    expect(new Set(paths).size).toBe(6);
    let bytes = gzipSync(html).length;
    for (const path of new Set(paths))
      bytes += gzipSync(await (await browser.get(path)).text()).length;
    expect(bytes).toBeLessThan(60_000);
  });

  test("cancels for the submitter or an administrator, from our own pages only", async () => {
    const id = await lab.submit();
    const { token } = await lab.addUser("bob");
    const bob = await browserSession(lab, token);
    expect(await (await bob.get(`/jobs/${id}`)).text()).not.toContain("Cancel job");
    expect((await bob.post(`/jobs/${id}/cancel`)).status).toBe(403);
    const foreign = await browser.post(
      `/jobs/${id}/cancel`,
      {},
      { "sec-fetch-site": "cross-site" },
    );
    expect(foreign.status).toBe(403);
    expect((await lab.job(id)).state).toBe("Submitted");
    expect(await show(`/jobs/${id}`)).toContain("Cancel job");
    const answer = await browser.post(`/jobs/${id}/cancel`);
    expect([answer.status, answer.headers.get("location")]).toEqual([303, `/jobs/${id}`]);
    expect(await show(`/jobs/${id}`)).toMatch(
      /<b>Canceled<\/b> by admin <time[^>]*>just now<\/time>, 2\d{3}-/,
    );
    expect(await show(`/jobs/${id}/cancel`)).toContain("It has ended already");
  });
});

describe("submitting", () => {
  test("leads to the job, whose definition is what was typed", async () => {
    const answer = await browser.post("/submit", { definition: aJob().replaceAll("\n", "\r\n") });
    expect(answer.headers.get("location")).toBe("/jobs/1");
    expect(await lab.request("/jobs/1/definition").then((raw) => raw.text())).toBe(aJob());
    expect(await show("/submit?from=1")).toContain("job_name: smoke");
  });

  test("shows every problem with its place, and the text again", async () => {
    const definition = aJob({ name: "kept" }).replace("minutes: 10", "minutes: ten");
    const answer = await browser.post("/submit", { definition });
    const html = await answer.text();
    expect(answer.status).toBe(400);
    expect(html).toMatch(/data-line="6" data-column="9">Line 6, column 9/);
    expect(html).toContain("<mark>minutes: ten}</mark>");
    expect(html).toContain("job_name: kept");
  });

  test("starts from a template, and refuses one that there is not", async () => {
    expect(await show("/submit?template=boot-u-boot")).toContain("method: u-boot");
    expect((await browser.get("/submit?template=../../etc")).status).toBe(404);
  });

  test("tries without submitting: which devices match, why others don't, and the plan", async () => {
    await lab.sync(worker);
    await lab.addDevice("qemu-02", { health: "Bad" });
    const definition = aJob({ name: quoted(HOSTILE) });
    const answer = await browser.post("/submit", { definition, "dry-run": "yes" });
    const html = await answer.text();
    expect(answer.status).toBe(200);
    expect(html).toContain("Dry run: it would be accepted");
    expect(html).toContain("<b>1 of 2 devices</b> of type qemu matches; next in the queue");
    expect(html).toContain("<td>in health Bad</td>");
    expect(html).toContain("The plan on qemu-01: 25 steps");
    expect(html).not.toContain(HOSTILE);
    const wrong = aJob({ lines: ["tags: [<b>x</b>]"] });
    const refused = await browser.post("/submit", { definition: wrong, "dry-run": "yes" });
    const told = await refused.text();
    expect(told).toContain("Dry run: it would be refused");
    expect(told).toContain("without tag &lt;b&gt;x&lt;/b&gt;");
    expect((await lab.api<{ jobs: [] }>("/jobs")).jobs).toEqual([]);
  });

  test("takes no endless form", async () => {
    const answer = await browser.post("/submit", { definition: "x".repeat(4 * 1024 * 1024) });
    expect(answer.status).toBe(413);
  });
});

describe("the lab's pages", () => {
  test("show devices, one device with its jobs and configuration, and workers", async () => {
    await lab.addDevice("qemu-02", { description: HOSTILE, tags: ["kvm"] });
    const { id } = await runningJob(lab, worker);
    expect(await show("/devices")).toContain("qemu-02");
    const device = await show("/devices/qemu-01");
    expect(device).toContain(`/jobs/${id}`);
    expect(await show("/devices/qemu-01/configuration")).toContain("available_architectures");
    expect(await show("/workers")).toMatch(/bench.*Online/s);
    expect(await show("/workers")).not.toContain("rolled out");
    const signer = aSigner();
    await addRelease(lab, signer, aRelease(signer, "9.0.0"));
    await lab.sync(worker, [], { version: "1.0.0", platform: "linux-x64" });
    await lab.api("/rollout", { body: { version: "9.0.0" } });
    expect(await show("/workers")).toContain("Version 9.0.0 is being rolled out to worker bench");
    await lab.api("/rollout/stop", { method: "POST" });
    expect(await show("/workers")).toContain("is stopped: admin stopped it");
    const upgrade = { id: "1", version: "9.0.0", state: "failed", reason: HOSTILE };
    await lab.sync(worker, [], { protocol: 99, by_hand: "no keys", upgrade });
    const workers = await show("/workers");
    expect(workers).toMatch(/9\.0\.0: failed.*gets no new jobs.*needs upgrades by hand: no keys/s);
    expect(workers).toContain("upgrade to 9.0.0: &lt;script&gt;");
  });

  test("show which worker waits for a board, and no code", async () => {
    const { code } = await lab.api<{ code: string }>("/workers/new/enrolment", {
      body: { add: true },
    });
    const workers = await show("/workers");
    expect(workers).toMatch(/new.*never.*waits for a board to enrol/s);
    expect(workers).not.toContain(code.split(":")[1]);
  });

  test("say what to do next when there are none", async () => {
    await lab.request("/devices/qemu-01", { method: "DELETE" });
    expect(await show("/devices")).toContain("pumice devices add");
  });
});

describe("signing in", () => {
  test("is where every page leads who is not signed in, and back", async () => {
    const answer = await lab.app.request("/jobs/7?start=5", { headers: { accept: "text/html" } });
    expect(answer.status).toBe(303);
    expect(answer.headers.get("location")).toBe("/sign-in?next=%2Fjobs%2F7%3Fstart%3D5");
    const page = await (await lab.app.request(answer.headers.get("location")!)).text();
    expect(page).toContain('name="next" value="/jobs/7?start=5"');
  });

  test("by link takes a button, so that a preview of the link does not use it up", async () => {
    const { url } = await lab.api<{ url: string }>("/sign-in-links", { method: "POST" });
    const { pathname, search, searchParams } = new URL(url);
    for (let n = 0; n < 2; n++) {
      const page = await lab.app.request(pathname + search);
      expect(await page.text()).toContain(`name="code" value="${searchParams.get("code")}"`);
      expect(page.headers.get("set-cookie")).toBeNull();
    }
    const answer = await browser.post("/sign-in", { code: searchParams.get("code")! });
    expect(answer.headers.get("set-cookie")).toContain("pumice_session=");
  });

  test("with what is no token shows the form again and why", async () => {
    const answer = await browser.post("/sign-in", { token: HOSTILE });
    expect(answer.status).toBe(401);
    expect(await answer.text()).toMatch(/role="alert">This is not a valid token/);
  });

  test("out ends the session and leads to signing in", async () => {
    const answer = await browser.post("/sign-out");
    expect(answer.headers.get("location")).toBe("/sign-in");
    expect((await browser.get("/")).headers.get("location")).toBe("/sign-in");
  });
});

describe("every page", () => {
  test("allows nothing but our own files, and is not kept", async () => {
    const { headers } = await browser.get("/");
    const policy = headers.get("content-security-policy");
    expect(policy).toContain("default-src 'none'");
    expect(policy).not.toContain("unsafe");
    expect(headers.get("cache-control")).toBe("no-store");
    expect(headers.get("x-content-type-options")).toBe("nosniff");
  });

  test("lets scripts go to where the blobs are, and nowhere else", async () => {
    const policyOf = async (settings: Partial<Settings>) => {
      const app = uiApp({ ...lab.deps, settings: { ...lab.deps.settings, ...settings } });
      return (await app.request("/sign-in")).headers.get("content-security-policy");
    };
    expect(await policyOf({})).toContain("connect-src 'self';");
    const blobOrigin = "https://blobs.test/ignored";
    expect(await policyOf({ blobOrigin })).toContain("connect-src 'self' https://blobs.test;");
  });

  test("names assets by their content, to be kept for good", async () => {
    const path = /href="(\/assets\/style-[0-9a-f]{12}\.css)"/.exec(await show("/"))![1]!;
    const asset = await lab.app.request(path);
    expect(asset.headers.get("content-type")).toBe("text/css; charset=utf-8");
    expect(asset.headers.get("cache-control")).toContain("immutable");
    expect((await lab.app.request("/assets/style-000000000000.css")).status).toBe(404);
    expect((await lab.app.request("/assets/..%2f..%2fserve.ts")).status).toBe(404);
  });

  test("that is not there says so, to a browser as a page", async () => {
    for (const path of ["/jobs/99", "/jobs/nonsense", "/devices/nothing", "/no/such/page"]) {
      const html = await show(path, 404);
      expect(html).toContain("<h1>Not found</h1>");
      expect(html).toContain(`<a href="/devices"`);
    }
    const raw = await lab.request("/jobs/99");
    expect(raw.headers.get("content-type")).toContain("application/json");
  });
});

describe("the queue page", () => {
  test("shows which types have a queue, and what waits for one and why", async () => {
    expect(await show("/queue")).toContain("No job waits.");
    await lab.submit(aJob({ name: quoted(HOSTILE) }));
    const html = await show("/queue?device_type=qemu");
    expect(html).toContain("&lt;script&gt;alert(1)");
    expect(html).toMatch(/<a href="\/queue\?device_type=qemu" aria-current="page">qemu /);
    expect(html).toContain("on worker bench, which is Offline");
    expect(await show("/queue?device_type=none", 404)).toContain("There is no device type");
  });

  test("is where a waiting job's page leads, with its place", async () => {
    const id = await lab.submit();
    const html = await show(`/jobs/${id}`);
    expect(html).toMatch(/<a href="\/queue\?device_type=qemu">Next in the queue/);
  });
});

test("a reserved device's page says whose it is", async () => {
  await lab.api("/reservations", { body: { device: "qemu-01", seconds: 3600 } });
  expect(await show("/devices/qemu-01")).toContain("by admin until 2026-03-01 13:00 UTC");
});
