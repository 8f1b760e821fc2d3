import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { RunnerReport } from "#protocol/worker-api.ts";
import { systemClock } from "../../worker/agent/clock.ts";
import { HttpClient } from "../../worker/host/http-client.ts";
import { jobNotes } from "../../worker/lava-server/job-notes.ts";
import { lavaCalls } from "../../worker/lava-server/lava-calls.ts";
import { LavaControlPlane } from "../../worker/lava-server/lava-control-plane.ts";
import { standInLava } from "./stand-in-lava.ts";

let lava: Awaited<ReturnType<typeof standInLava>>;
let dir: string;
let http: HttpClient;
let token: string;
const { signal } = new AbortController();

beforeEach(async () => {
  lava = await standInLava();
  dir = mkdtempSync(path.join(tmpdir(), "pumice-lava-server-"));
  http = new HttpClient(lava.url);
  token = lava.token;
});
afterEach(async () => {
  http.close();
  await lava.close();
  rmSync(dir, { recursive: true, force: true });
});

/** As an agent has it that has just begun; with what the one before it knew. */
const plane = () =>
  new LavaControlPlane({
    calls: lavaCalls(http, () => token),
    notes: jobNotes(dir),
    // Nobody waits here between two posts of lines.
    clock: { ...systemClock, sleep: () => Promise.resolve() },
    log: () => {},
    name: "bench",
    pingSeconds: 20,
  });
const running = (...ids: number[]): RunnerReport[] =>
  ids.map((job_id) => ({ job_id, state: "running" }));
const sync = (to: LavaControlPlane, runners: RunnerReport[] = []) =>
  to.sync({ protocol: 1, version: "1", runners, wait_seconds: 0 }, signal);

const line = (n: number, lvl = "target"): string =>
  JSON.stringify({
    dt: "2026-03-01T12:00:00.000001+00:00",
    lvl,
    msg: lvl === "results" ? { definition: "0_t", case: `c${n}`, result: "pass" } : `line ${n}`,
  });

/** Ships lines as the log shipper does. */
async function ship(to: LavaControlPlane, id: number, first: number, lines: string[]) {
  const job = { id, token: `job-${id}` };
  const body = gzipSync(lines.map((text) => `${text}\n`).join(""));
  const upload = { first_line: first, bytes: body.length, sha256: "" };
  const place = await to.logUpload(job, upload);
  await to.put(place, body);
  const commit = {
    first_line: first,
    count: lines.length,
    bytes: body.length,
    sha256: "",
    results: [],
  };
  return to.logCommit(job, commit, signal);
}
const finish = (to: LavaControlPlane, id: number) =>
  to.finish({ id, token: `job-${id}` }, { result: "pass", lines: 1 }, signal);

describe("a job of a LAVA server", () => {
  test("is started with its ticket, told of as running once, and told of as finished", async () => {
    const job = lava.add(7);
    const to = plane();
    const { start } = await sync(to);
    expect(start).toEqual([
      expect.objectContaining({
        job_id: 7,
        token: "job-7",
        device_type: "board",
        device_hostname: "board-1",
        dispatcher: "",
      }),
    ]);
    await sync(to, running(7));
    await sync(to, running(7));
    expect(job.state).toBe("Running");
    expect(
      lava.asked.filter((what) => what === "POST /scheduler/internal/v1/jobs/7/"),
    ).toHaveLength(1);
    expect(await ship(to, 7, 0, [line(0), line(1, "results")])).toBe(2);
    await finish(to, 7);
    expect(job.end?.get("result")).toBe("pass");
    expect(job.log[0]).toBe('- {"dt":"2026-03-01T12:00:00.000001","lvl":"target","msg":"line 0"}');
  });

  test("is lost when the server takes it for running and nothing is known of it here", async () => {
    lava.add(7, { state: "Running", log: [line(0), line(1)] });
    const to = plane();
    const { lost, start } = await sync(to);
    expect(start).toEqual([]);
    expect(lost).toEqual([
      expect.objectContaining({
        job_id: 7,
        ticket: expect.objectContaining({ device: "{}" }) as unknown,
      }),
    ]);
    expect(await to.logTail({ id: 7, token: "job-7" }, signal)).toBe(2);
  });

  test("of which the server hides the log gets its last words at the end of it", async () => {
    const job = lava.add(7, { state: "Running", log: [line(0), line(1)] });
    lava.hide();
    const to = plane();
    await sync(to);
    const tail = await to.logTail({ id: 7, token: "job-7" }, signal);
    await ship(to, 7, tail, [line(9)]);
    expect(job.log).toHaveLength(3);
  });

  test("is told of as canceled when it never began here", async () => {
    const job = lava.add(7, { state: "Canceling" });
    const { cancel, lost } = await sync(plane());
    expect([cancel, lost]).toEqual([[], []]);
    expect(job.end?.get("error_type")).toBe("Canceled");
  });

  test("is canceled here while it runs", async () => {
    const job = lava.add(7);
    const to = plane();
    await sync(to);
    job.state = "Canceling";
    expect((await sync(to, running(7))).cancel).toEqual([7]);
  });

  test("is forgotten when the server wants nothing more of it", async () => {
    const job = lava.add(7);
    const to = plane();
    await sync(to);
    job.state = "Finished";
    expect((await sync(to, running(7))).forget).toEqual([7]);
  });

  test("that has ended is not lost, whatever the server says: it is told again", async () => {
    const job = lava.add(7);
    await sync(plane());
    await finish(plane(), 7);
    // A server that was put back to a backup.
    job.state = "Running";
    delete job.end;
    const { lost, start } = await sync(plane());
    expect([lost, start]).toEqual([[], []]);
    expect(job.end).toBeDefined();
  });

  test("of a multinode group is refused, and says why", async () => {
    const definition = "device_type: board\nprotocols:\n  lava-multinode:\n    roles: {}\n";
    const job = lava.add(7, { definition });
    expect((await sync(plane())).start).toEqual([]);
    expect(job.end?.get("error_type")).toBe("Infrastructure");
    expect(job.log.join("")).toContain("lava-coordinator");
    await sync(plane());
    expect(job.results).toBe(1);
  });
});

describe("lines of a log", () => {
  test.each(["lost", "unheard"] as const)(
    "arrive once each when a post of them is %s",
    async (what) => {
      const job = lava.add(7);
      const to = plane();
      await sync(to);
      await ship(to, 7, 0, [line(0)]);
      lava.next(what);
      const lines = [line(1, "results"), line(2)];
      await expect(ship(to, 7, 1, lines)).rejects.toThrow();
      // The next agent knows no more than what is on the disk.
      const next = plane();
      const tail = await next.logTail({ id: 7, token: "job-7" }, signal);
      expect(tail).toBe(what === "lost" ? 1 : 3);
      await ship(next, 7, tail, [line(1, "results"), line(2), line(3)].slice(tail - 1));
      expect(job.log).toHaveLength(4);
      expect(job.results).toBe(1);
    },
  );

  test("that the server can't read are refused, but not before it has said so often", async () => {
    lava.add(7);
    const to = plane();
    await sync(to);
    const statuses: unknown[] = [];
    for (let n = 0; n < 5; n++) {
      lava.next("broken");
      await ship(to, 7, 0, [line(0)]).catch((error: { status: unknown }) =>
        statuses.push(error.status),
      );
    }
    expect(statuses).toEqual([500, 500, 500, 500, 422]);
  });

  test("are taken from where the server has them, not from anywhere else", async () => {
    lava.add(7);
    const to = plane();
    await sync(to);
    await expect(ship(to, 7, 5, [line(5)])).rejects.toMatchObject({
      status: 409,
      body: { next_line: 0 },
    });
  });
});

describe("the server's wishes", () => {
  test("the worker says that it is of the server's version, also after an upgrade of the server", async () => {
    const to = plane();
    await sync(to);
    lava.becomes("2026.02");
    await sync(to);
    expect(lava.asked.filter((what) => what.includes("/workers/"))).toHaveLength(3);
  });

  test("a token that it refuses is a refusal, not a wrong request", async () => {
    token = "another";
    await expect(sync(plane())).rejects.toMatchObject({ status: 401 });
  });
});
