import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { LogPage, ResultView } from "#protocol/api.ts";
import {
  MAX_CHUNK_RECORDS,
  MAX_COMMITTED_BODY_BYTES,
  type LogCommitRequest,
  type LogUploadResponse,
} from "#protocol/worker-api.ts";
import { aResult } from "../support/builders.ts";
import { aChunk, embeddedLab, type EmbeddedLab } from "../support/embedded-lab.ts";
import { isOnAws } from "../support/test-engine.ts";
import { lacking } from "../support/lacking.ts";

let lab: EmbeddedLab;
let worker: string;
let id: number;
let token: string;
beforeEach(async () => {
  lab = await embeddedLab();
  worker = await lab.addWorker();
  await lab.addDevice("qemu-01");
  await lab.sync(worker);
  id = await lab.submit();
  token = (await lab.sync(worker)).start[0]!.token;
  await lab.sync(worker, [{ job_id: id, state: "running" }]);
});
afterEach(() => lab.close());

const dt = "2026-03-01T12:00:00.000000+00:00";
const line = (n: number) => ({ dt, lvl: "info", msg: `line ${n}` });
const lines = (from: number, count: number) =>
  Array.from({ length: count }, (_, n) => line(from + n));
const result = (overrides: Record<string, unknown>) => ({
  dt,
  lvl: "results",
  msg: aResult(overrides),
});
const page = (query = "") => lab.api<LogPage>(`/jobs/${id}/log${query}`);
const results = async () =>
  (await lab.api<{ results: ResultView[] }>(`/jobs/${id}/results`)).results;
const commit = (chunk: LogCommitRequest) =>
  lab.request(`/jobs/${id}/log-chunks`, { token, body: chunk });

async function upload({ commit: { first_line, bytes, sha256 }, body }: ReturnType<typeof aChunk>) {
  const { url, method, headers } = await lab.api<LogUploadResponse>(`/jobs/${id}/log-uploads`, {
    token,
    body: { first_line, bytes, sha256 },
  });
  return lab.request(url, { token: null, method, headers, body });
}

describe("shipping", () => {
  test("chunks become one log, read by line range", async () => {
    expect(await lab.ship(id, token, 0, lines(0, 3))).toBe(3);
    expect(await lab.ship(id, token, 3, lines(3, 1))).toBe(4);
    expect(await lab.ship(id, token, 4, lines(4, 6))).toBe(10);
    const whole = {
      attempt: 1,
      start: 0,
      next: 10,
      complete: false,
      poll_seconds: 0,
      records: lines(0, 10),
    };
    expect(await page()).toEqual(whole);
    expect((await page("?start=2&end=5")).records).toEqual(lines(2, 3));
    expect((await page("?start=9")).records).toEqual(lines(9, 1));
    expect(await page("?start=10")).toMatchObject({ next: 10, records: [] });
    expect(await lab.api(`/jobs/${id}/log-tail`, { token })).toEqual({ next_line: 10 });
  });

  test("a chunk that comes again is answered as before and kept once", async () => {
    const chunk = aChunk(0, lines(0, 2));
    await upload(chunk);
    expect(await (await commit(chunk.commit)).json()).toEqual({ next_line: 2 });
    await upload(chunk);
    expect(await (await commit(chunk.commit)).json()).toEqual({ next_line: 2 });
    await lab.ship(id, token, 2, lines(2, 2));
    expect(await (await commit(chunk.commit)).json()).toEqual({ next_line: 4 });
    expect((await page()).records).toEqual(lines(0, 4));
  });

  test("a chunk that leaves a gap or overlaps is refused with the next line", async () => {
    await lab.ship(id, token, 0, lines(0, 2));
    for (const first of [0, 1, 3]) {
      const chunk = aChunk(first, lines(100, 2));
      await upload(chunk);
      const refused = await commit(chunk.commit);
      expect(refused.status).toBe(409);
      expect(await refused.json()).toMatchObject({ code: "conflict", next_line: 2 });
    }
    expect((await page()).records).toEqual(lines(0, 2));
  });

  test("the same chunk committed by several at once is committed once", async () => {
    const chunk = aChunk(0, [...lines(0, 2), result({})]);
    await upload(chunk);
    const answers = await Promise.all(Array.from({ length: 8 }, () => commit(chunk.commit)));
    for (const answer of answers) expect(await answer.json()).toEqual({ next_line: 3 });
    expect(await results()).toHaveLength(1);
  });

  test("a chunk that was not uploaded, or is not what was uploaded, is refused", async () => {
    const chunk = aChunk(0, lines(0, 2));
    expect((await commit(chunk.commit)).status).toBe(400);
    await upload(chunk);
    expect((await commit({ ...chunk.commit, bytes: 1 })).status).toBe(400);
    expect((await commit({ ...chunk.commit, count: MAX_CHUNK_RECORDS + 1 })).status).toBe(400);
    expect((await lab.job(id)).log_lines).toBe(0);
  });

  test("a chunk may come with its commit, be it again or many times at once, and outlives the process", async () => {
    const { commit: first, body } = aChunk(0, lines(0, 2));
    const whole = { ...first, body: body.toString("base64") };
    const answers = await Promise.all(Array.from({ length: 4 }, () => commit(whole)));
    for (const answer of answers) expect(await answer.json()).toEqual({ next_line: 2 });
    await lab.reopen();
    expect(await (await commit(whole)).json()).toEqual({ next_line: 2 });
    expect((await page()).records).toEqual(lines(0, 2));
  });

  test("a chunk that comes with its commit and is not what that says is refused", async () => {
    const { commit: first, body } = aChunk(0, lines(0, 2));
    const other = aChunk(0, lines(1, 2)).body;
    for (const wrong of [other, body.subarray(1), Buffer.alloc(0)]) {
      const refused = await commit({ ...first, body: wrong.toString("base64") });
      expect(refused.status).toBe(400);
      expect(await refused.json()).toMatchObject({ message: expect.stringContaining("`body` is") });
    }
    const large = Buffer.alloc(MAX_COMMITTED_BODY_BYTES + 3).toString("base64");
    expect((await commit({ ...first, body: large })).status).toBe(400);
    expect((await lab.job(id)).log_lines).toBe(0);
  });

  test("a late upload of other bytes for a committed line changes nothing", async () => {
    await lab.ship(id, token, 0, lines(0, 2));
    expect((await upload(aChunk(0, lines(50, 2)))).status).toBe(200);
    expect((await page()).records).toEqual(lines(0, 2));
  });

  test("a damaged chunk shows as damaged lines, and the lines after it keep their numbers", async () => {
    await lab.ship(id, token, 0, lines(0, 1));
    const chunk = aChunk(1, lines(1, 1));
    await upload(chunk);
    await commit({ ...chunk.commit, count: 3 });
    await lab.ship(id, token, 4, lines(4, 1));
    const { records } = await page();
    expect(records).toHaveLength(5);
    expect(records[1]).toEqual(line(1));
    expect(records[2]).toMatchObject({ lvl: "error", msg: expect.stringMatching(/damaged/) });
    expect(records[4]).toEqual(line(4));
  });

  test("a chunk that grows without bound is not unpacked", async () => {
    const bomb = aChunk(0, [{ ...line(0), msg: "x".repeat(65 * 1024 * 1024) }]);
    await upload(bomb);
    await commit(bomb.commit);
    expect((await page()).records).toMatchObject([{ msg: expect.stringMatching(/damaged/) }]);
    expect(lab.messages.join()).toContain("cannot be read");
  });
});

describe("reading", () => {
  test("gives pages of at most 5000 records", async () => {
    await lab.ship(id, token, 0, lines(0, 4000));
    await lab.ship(id, token, 4000, lines(4000, 4000));
    const first = await page();
    expect(first.next).toBe(5000);
    const second = await page(`?start=${first.next}`);
    expect([second.next, second.records[0]]).toEqual([8000, line(5000)]);
  });

  test("gives pages of about two million characters, and always one record", async () => {
    const long = { ...line(0), msg: "x".repeat(900_000) };
    await lab.ship(id, token, 0, [long, long, long]);
    expect((await page()).next).toBe(2);
    expect((await page("?start=2")).next).toBe(3);
  });

  test("says that the log is complete when the job is Finished and all was read", async () => {
    await lab.ship(id, token, 0, lines(0, 3));
    await lab.finish(id, token, { result: "pass", lines: 3 });
    expect((await page("?end=2")).complete).toBe(false);
    expect((await page("?start=2")).complete).toBe(true);
    expect(await page("?start=9")).toMatchObject({ complete: true, records: [] });
  });

  test.skipIf(lacking(isOnAws, "only the embedded engine has this"))(
    "waits for the next line, or for the end (embedded engine only: in the cloud no answer about a log is held)",
    async () => {
      const waiting = page("?start=0&wait=20");
      await lab.ship(id, token, 0, lines(0, 1));
      expect((await waiting).records).toEqual(lines(0, 1));
      const end = page("?start=1&wait=20");
      await lab.finish(id, token, { result: "pass", lines: 1 });
      expect(await end).toMatchObject({ complete: true, records: [] });
    },
  );

  test("tells the worker that somebody watches, until nobody does", async () => {
    const runners = [{ job_id: id, state: "running" as const }];
    const { seen, watched } = await lab.sync(worker, runners);
    expect(watched).toEqual([]);
    const held = lab.sync(worker, runners, { seen, wait_seconds: 20 });
    await page();
    expect((await held).watched).toEqual([id]);
    lab.pass(14);
    expect((await lab.sync(worker, runners)).watched).toEqual([id]);
    await page();
    lab.pass(14);
    expect((await lab.sync(worker, runners)).watched).toEqual([id]);
    lab.pass(2);
    expect((await lab.sync(worker, runners)).watched).toEqual([]);
  });

  test("is written down seldom, however often people read", async () => {
    await page();
    const before = await lab.deps.table.get({ partition: `job#${id}`, sort: "watch" });
    for (let n = 0; n < 5; n++) await page();
    expect(await lab.deps.table.get({ partition: `job#${id}`, sort: "watch" })).toEqual(before);
  });

  test("as YAML or JSON lines gives the whole log", async () => {
    await lab.ship(id, token, 0, lines(0, 6000));
    const yaml = await lab.request(`/jobs/${id}/log`, { headers: { accept: "application/yaml" } });
    expect(yaml.headers.get("content-type")).toContain("yaml");
    const text = await yaml.text();
    expect(text.split("\n")).toHaveLength(6001);
    expect(text.startsWith(`- {"dt":"${dt}","lvl":"info","msg":"line 0"}\n- {`)).toBe(true);
    const json = await lab.request(`/jobs/${id}/log?format=ndjson&start=5998`);
    expect(await json.text()).toBe(
      `${JSON.stringify(line(5998))}\n${JSON.stringify(line(5999))}\n`,
    );
  });
});

describe("results", () => {
  test("are suites and cases with measurements, in the order of the log", async () => {
    await lab.ship(id, token, 0, [
      line(0),
      result({ case: "speed", measurement: 93.25, units: "MB/s", starttc: 0, endtc: 1 }),
    ]);
    await lab.ship(id, token, 2, [
      result({ case: "flaky", result: "skip", set: "io", reference: "http://ref.test/1" }),
      result({ definition: "lava", case: "login-action", duration: "12.34", level: "2.1" }),
    ]);
    expect(await results()).toMatchObject([
      {
        suite: "0_smoke",
        name: "speed",
        result: "pass",
        measurement: 93.25,
        units: "MB/s",
        log_line: 1,
        log_start_line: 0,
        log_end_line: 1,
        logged: dt,
        metadata: aResult({
          case: "speed",
          measurement: 93.25,
          units: "MB/s",
          starttc: 0,
          endtc: 1,
        }),
      },
      { name: "flaky", result: "skip", set: "io", reference: "http://ref.test/1" },
      { suite: "lava", name: "login-action", measurement: 12.34, units: "seconds", level: "2.1" },
    ]);
  });

  test("that cannot be results are dropped with a note, and the job goes on", async () => {
    await lab.ship(
      id,
      token,
      0,
      [
        result({ result: "maybe" }),
        result({ case: 5 }),
        { dt, lvl: "results", msg: ["not", "a", "mapping"] },
        result({ case: "good", measurement: "not a number" }),
      ].filter((record) => !Array.isArray(record.msg)),
    );
    expect(await results()).toMatchObject([{ name: "good" }]);
    const { notes } = await lab.job(id);
    expect(notes).toHaveLength(2);
    expect(notes![0]).toContain('line 0 was dropped: result is "maybe"');
    for (let n = 3; n < 40; n++) await lab.ship(id, token, n, [result({ result: "odd" })]);
    expect((await lab.job(id)).notes).toHaveLength(20);
  });

  test("of lines outside of their chunk are dropped", async () => {
    const chunk = aChunk(0, [result({})]);
    chunk.commit.results[0]!.line = 7;
    await upload(chunk);
    expect((await commit(chunk.commit)).status).toBe(200);
    expect(await results()).toEqual([]);
  });

  test("of 500 cases in one chunk are all kept", async () => {
    const burst = Array.from({ length: 500 }, (_, n) => result({ case: `case-${n}` }));
    await lab.ship(id, token, 0, burst);
    expect((await results()).map(({ name }) => name)).toEqual(burst.map((_, n) => `case-${n}`));
  });

  test("as JUnit have failures with their lines of the log and no illegal character", async () => {
    await lab.ship(id, token, 0, [
      { dt, lvl: "target", msg: '\u001b[31mboom\u0000 <oops> & "so" \ud800' },
      result({ case: 'a<b>&"c"', result: "fail", starttc: 0, endtc: 0 }),
      result({ case: "later", result: "skip", set: "io" }),
      result({ definition: "lava", case: "job", result: "unknown", duration: "1.50" }),
    ]);
    await lab.finish(id, token, { result: "pass", lines: 4 });
    const answer = await lab.request(`/jobs/${id}/results?format=junit`);
    expect(answer.headers.get("content-type")).toContain("xml");
    expect((await answer.text()).split("\n").map((text) => text.trim())).toEqual([
      '<?xml version="1.0" encoding="UTF-8"?>',
      '<testsuites tests="3" failures="1" errors="0" skipped="1">',
      '<testsuite name="0_smoke" tests="2" failures="1" errors="0" skipped="1" timestamp="2026-03-01T12:00:00.000Z">',
      `<testcase name="a&lt;b&gt;&amp;&quot;c&quot;" classname="0_smoke" timestamp="${dt}"><failure message="failed">\uFFFD[31mboom\uFFFD &lt;oops&gt; &amp; &quot;so&quot; \uFFFD</failure></testcase>`,
      `<testcase name="later" classname="io_0_smoke" timestamp="${dt}"><skipped message="skipped"/></testcase>`,
      "</testsuite>",
      '<testsuite name="lava" tests="1" failures="0" errors="0" skipped="0" timestamp="2026-03-01T12:00:00.000Z">',
      `<testcase name="job" classname="lava" time="1.50" timestamp="${dt}"/>`,
      "</testsuite>",
      "</testsuites>",
      "",
    ]);
  });
});
