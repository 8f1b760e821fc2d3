import { gunzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { LogChunkList, LogPage } from "#protocol/api.ts";
import { embeddedLab, type EmbeddedLab } from "../support/embedded-lab.ts";
import { runningJob } from "../support/browser-session.ts";

let lab: EmbeddedLab;
let worker: string;
let id: number;
let token: string;

async function open(settings: Parameters<typeof embeddedLab>[0] = {}) {
  lab = await embeddedLab(settings);
  worker = await lab.addWorker();
  await lab.addDevice("qemu-01");
  ({ id, token } = await runningJob(lab, worker));
}
afterEach(() => lab.close());

const dt = "2026-03-01T12:00:00.000000+00:00";
const lines = (from: number, count: number) =>
  Array.from({ length: count }, (_, n) => ({ dt, lvl: "info", msg: `line ${from + n}` }));
const list = (query = "") => lab.api<LogChunkList>(`/jobs/${id}/log-chunks${query}`);
const ranges = ({ chunks }: LogChunkList) => chunks.map((chunk) => [chunk.first_line, chunk.count]);

/** What a chunk's address answers somebody who has nothing but the address. */
async function fetchChunk({ url, method, headers }: LogChunkList["chunks"][number]) {
  const answer = await lab.request(url, { token: null, method, headers });
  const bytes = new Uint8Array(await answer.arrayBuffer());
  return { status: answer.status, size: bytes.length, text: () => gunzipSync(bytes).toString() };
}

describe("where a log's chunks are", () => {
  beforeEach(() => open());

  test("is told in order, with addresses that need no token", async () => {
    await lab.ship(id, token, 0, lines(0, 3));
    await lab.ship(id, token, 3, lines(3, 2));
    const found = await list();
    expect(found).toMatchObject({ start: 0, next: 5, complete: false, poll_seconds: 0 });
    expect(ranges(found)).toEqual([
      [0, 3],
      [3, 2],
    ]);
    const chunk = await fetchChunk(found.chunks[1]!);
    expect(chunk).toMatchObject({ status: 200, size: found.chunks[1]!.bytes });
    expect(chunk.text()).toBe(
      lines(3, 2)
        .map((record) => `${JSON.stringify(record)}\n`)
        .join(""),
    );
  });

  test("is told of the range that was asked for", async () => {
    for (let n = 0; n < 10; n++) await lab.ship(id, token, 10 * n, lines(10 * n, 10));
    expect(ranges(await list("?start=25&end=31"))).toEqual([
      [20, 10],
      [30, 10],
    ]);
    expect(ranges(await list("?start=25&end=30"))).toEqual([[20, 10]]);
    expect(ranges(await list("?start=99"))).toEqual([[90, 10]]);
    expect(await list("?start=100")).toMatchObject({ start: 100, next: 100, chunks: [] });
    expect(await list("?start=500")).toMatchObject({ start: 500, next: 500, chunks: [] });
    expect(await list("?start=30&end=20")).toMatchObject({ next: 30, chunks: [] });
    for (const query of ["?start=-1", "?start=x", "?end=1.5", "?wait=soon"]) {
      expect((await lab.request(`/jobs/${id}/log-chunks${query}`)).status).toBe(400);
    }
  });

  test("is told of at most 64 chunks, and then of those that follow", async () => {
    for (let n = 0; n < 70; n++) await lab.ship(id, token, n, lines(n, 1));
    const first = await list();
    expect([first.chunks.length, first.next]).toEqual([64, 64]);
    const second = await list(`?start=${first.next}`);
    expect([second.chunks.length, second.next, second.poll_seconds]).toEqual([6, 70, 0]);
    const page = await lab.api<LogPage>(`/jobs/${id}/log`);
    expect([page.records.length, page.next]).toEqual([64, 64]);
    const text = await (await lab.request(`/jobs/${id}/log?format=ndjson`)).text();
    expect(text.trimEnd().split("\n")).toHaveLength(70);
  });

  test("is no longer told when an address is too old", async () => {
    await lab.ship(id, token, 0, lines(0, 1));
    const { chunks } = await list();
    lab.pass(15 * 60 - 1);
    expect((await fetchChunk(chunks[0]!)).status).toBe(200);
    lab.pass(2);
    expect((await fetchChunk(chunks[0]!)).status).toBe(403);
  });

  test("of a job that does not exist is 404", async () => {
    expect((await lab.request("/jobs/999/log-chunks")).status).toBe(404);
  });

  test("is told when the log is complete", async () => {
    await lab.ship(id, token, 0, lines(0, 2));
    await lab.finish(id, token, { result: "pass", lines: 2 });
    expect(await list("?start=1")).toMatchObject({ complete: true, poll_seconds: 0 });
    expect(await list("?start=0&end=1")).toMatchObject({ next: 2, complete: true });
  });

  test("is told as soon as there is news, to who waits", async () => {
    const waiting = list("?start=0&wait=20");
    await lab.ship(id, token, 0, lines(0, 1));
    expect(ranges(await waiting)).toEqual([[0, 1]]);
  });

  test("makes the job a watched one", async () => {
    const running = [{ job_id: id, state: "running" as const }];
    expect((await lab.sync(worker, running)).watched).toEqual([]);
    await list();
    expect((await lab.sync(worker, running)).watched).toEqual([id]);
  });
});

describe("where answers are not held back", () => {
  beforeEach(() => open({ logHoldSeconds: 0 }));

  test("who asks is answered at once, and told to pause when all was read", async () => {
    expect(await list("?start=0&wait=20")).toMatchObject({ chunks: [], poll_seconds: 1 });
    for (let n = 0; n < 65; n++) await lab.ship(id, token, n, lines(n, 1));
    expect(await list("?start=0&wait=20")).toMatchObject({ next: 64, poll_seconds: 0 });
    expect(await list("?start=64&wait=20")).toMatchObject({ next: 65, poll_seconds: 1 });
    const page = await lab.api<LogPage>(`/jobs/${id}/log?start=64`);
    expect(page).toMatchObject({ next: 65, poll_seconds: 1 });
    await lab.finish(id, token, { result: "pass", lines: 65 });
    expect(await list("?start=65&wait=20")).toMatchObject({ complete: true, poll_seconds: 0 });
  });

  test("a client that does not know to pause is held a moment", async () => {
    const waits: number[] = [];
    lab.deps.signals.listen = () => ({
      rung: async (ms) => (waits.push(ms), false),
      close: () => {},
    });
    await lab.api(`/jobs/${id}/log?start=0&wait=20`);
    expect(waits).toEqual([1000]);
  });
});

test("lines that are gone are not asked for without a pause", async () => {
  await open();
  await lab.ship(id, token, 0, lines(0, 2));
  const { items } = await lab.deps.table.query<object>("main", `job#${id}`, { from: "chunk#" });
  const [chunk] = items.filter(({ key }) => key.sort.startsWith("chunk#"));
  await lab.deps.table.transact([{ delete: chunk!.key }]);
  expect(await list()).toMatchObject({ next: 0, chunks: [], complete: false, poll_seconds: 1 });
});
