import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { RunnerReport } from "#protocol/worker-api.ts";
import { ControlPlane } from "../../worker/agent/control-plane.ts";
import { SyncLoop } from "../../worker/agent/sync-loop.ts";
import { HttpClient } from "../../worker/host/http-client.ts";
import { FakeControlPlane } from "../support/fake-control-plane.ts";
import { FakeQueue, message, NO_MESSAGE } from "../support/fake-queue.ts";
import { ManualClock } from "../support/manual-clock.ts";

const HOLD_SECONDS = 20;
const SYNC_SECONDS = 300;
const MINUTE_MS = 60_000;

let plane: FakeControlPlane;
let queue: FakeQueue;
let http: HttpClient;
let clock: ManualClock;
let loop: SyncLoop;
let stop: AbortController;
let running: Promise<void>;
let log: string[];
let reports: RunnerReport[];
let restored: number;

beforeEach(async () => {
  plane = await new FakeControlPlane().listen();
  queue = await new FakeQueue().listen();
  http = new HttpClient(plane.url);
  clock = new ManualClock();
  stop = new AbortController();
  running = Promise.resolve();
  [log, reports, restored] = [[], [], 0];
  grant();
});
afterEach(async () => {
  stop.abort();
  await running;
  http.close();
  await queue.stop().catch(() => {});
  await plane.stop();
});

function grant(changes: Partial<FakeControlPlane["wait"]> = {}): void {
  plane.wait = {
    kind: "queue",
    url: queue.url,
    hold_seconds: HOLD_SECONDS,
    expires_seconds: 900,
    sync_seconds: SYNC_SECONDS,
    ...changes,
  };
}

function start(apply: () => void = () => {}): void {
  loop = new SyncLoop();
  const controlPlane = new ControlPlane(http, () => plane.token);
  const deps = {
    controlPlane,
    clock,
    log: (line: string) => log.push(line),
    reports: () => reports,
    apply,
    restored: () => restored++,
    refreshToken: () => {},
  };
  running = loop.run(deps, stop.signal);
}

/** As a queue that nobody rings: the answer comes after the time for which it holds it back. */
function holdInVain(): void {
  clock.advance(HOLD_SECONDS * 1000);
  queue.answer(NO_MESSAGE);
}

const synced = (n: number): Promise<void> => plane.until(() => plane.syncs.length >= n);

describe("an agent at its queue", () => {
  test("syncs when it is rung, and tells the queue nothing of itself", async () => {
    start();
    await queue.asked(1);
    expect(plane.syncs).toHaveLength(1);
    queue.answer(message());
    await synced(2);
    await queue.asked(2);
    expect(plane.syncs.map(({ waits }) => waits)).toEqual([["queue"], ["queue"]]);
    expect(plane.syncs[1]?.seen).toBeDefined();
    expect(queue.requests[0]?.headers).not.toHaveProperty("authorization");
    expect(queue.requests[0]?.headers.accept).toBe("*/*");
  });

  test("syncs once for a message that the queue brings again, since nobody removes it", async () => {
    start();
    await queue.asked(1);
    queue.answer(message(7));
    await synced(2);
    for (const n of [2, 3, 4, 5, 6, 7]) {
      await queue.asked(n);
      queue.answer(message(7));
      await clock.until((delays) => delays.includes(1000));
      clock.advance(1000);
    }
    await queue.asked(8);
    expect(plane.syncs).toHaveLength(2);
    queue.answer(message(7) + message(8));
    await synced(3);
  });

  test("asks the queue alone while nothing happens, and syncs a little before sync_seconds are over", async () => {
    start();
    for (let n = 1; n <= 14; n++) {
      await queue.asked(n);
      holdInVain();
    }
    await queue.asked(15);
    expect(plane.syncs).toHaveLength(1);
    // Half of the 10 % that are left to chance: 285 s after the sync.
    clock.advance(4999);
    expect(queue.held).toBe(1);
    clock.advance(1);
    await synced(2);
    expect(queue.requests).toHaveLength(15);
  });

  test("gets a new URL before the old one has expired", async () => {
    grant({ expires_seconds: 60 });
    start();
    await queue.asked(1);
    clock.advance(54_000);
    await synced(2);
  });

  test("syncs when the connection breaks, for a ring may have been lost with it", async () => {
    start();
    await queue.asked(1);
    queue.breakOff();
    await clock.until((delays) => delays.includes(187.5));
    expect(plane.syncs).toHaveLength(1);
    clock.advance(188);
    await synced(2);
    expect(log).toEqual(["connected to the control plane"]);
    expect(plane.syncs[1]?.waits).toEqual(["queue"]);
  });

  test("syncs when an answer is longer than a queue's can be", async () => {
    start();
    await queue.asked(1);
    queue.answer("x".repeat(100_000));
    await clock.until((delays) => delays.includes(187.5));
    clock.advance(188);
    await synced(2);
  });

  test("ends its wait at once when there is something to tell", async () => {
    start();
    await queue.asked(1);
    loop.changed();
    await queue.until(() => queue.held === 0);
    await clock.until((delays) => delays.includes(50));
    loop.changed();
    clock.advance(50);
    await synced(2);
    await queue.asked(2);
    expect(plane.syncs).toHaveLength(2);
  });

  test("ends its wait at once when it is stopped", async () => {
    start();
    await queue.asked(1);
    stop.abort();
    await running;
    await queue.until(() => queue.held === 0);
    expect(clock.delays).toEqual([]);
  });

  test("tells of a job that it has just begun before it waits", async () => {
    start(() => (reports = [{ job_id: 1, state: "running" }]));
    await queue.asked(1);
    expect(plane.syncs.map(({ runners }) => runners.length)).toEqual([0, 1]);
    expect(queue.requests).toHaveLength(1);
  });

  test("asks again soon while somebody watches one of its jobs", async () => {
    plane.submit(1, []).state = "Running";
    reports = [{ job_id: 1, state: "running" }];
    start();
    await queue.asked(1);
    clock.advance(50_000);
    await synced(2);
  });

  test("has its retries woken when the control plane answers again", async () => {
    plane.fault = () => (plane.requests.length === 2 ? { status: 503 } : undefined);
    start();
    await queue.asked(1);
    queue.answer(message());
    await clock.until((delays) => delays.includes(187.5));
    clock.advance(188);
    await queue.asked(2);
    expect(restored).toBe(1);
  });
});

describe("a queue that is of no use", () => {
  test.each([
    ["refuses", 403],
    ["is gone", 404],
    ["fails", 500],
    ["sends elsewhere", 302],
  ])("because it %s is replaced by a held-back sync, and tried again later", async (_, status) => {
    start();
    await queue.asked(1);
    queue.answer("<Error><Code>No</Code></Error>", status);
    await synced(2);
    expect(plane.syncs[1]?.waits).toBeUndefined();
    expect(plane.syncs[1]?.wait_seconds).toBe(50);
    expect(log.slice(1)).toEqual([
      expect.stringMatching(/^cannot wait at its queue.*again in 13 min.*\/1\/pumice-w-1: \d+ /),
    ]);
    expect(log.join()).not.toContain("secret");
    clock.advance(14 * MINUTE_MS);
    await askAgain(3);
    await queue.asked(2);
    queue.answer(message());
    await synced(4);
    expect(log.at(-1)).toBe("waits at its queue again");
  });

  test("is tried ever more seldom, and complained of once", async () => {
    queue.usual = { status: 403, body: () => "no" };
    start();
    let n = 2;
    // 15 minutes less an eighth, doubled up to 4 hours.
    for (const minutes of [13.125, 26.25, 52.5, 105, 210, 210]) {
      await synced(n);
      clock.advance(minutes * MINUTE_MS - 1000);
      await askAgain(++n);
      expect(plane.syncs.slice(-2).map(({ waits }) => waits)).toEqual([undefined, undefined]);
      clock.advance(1000);
      await askAgain(++n);
      expect(plane.syncs.at(-1)?.waits).toEqual(["queue"]);
      n++;
    }
    expect(log).toHaveLength(2);
  });

  test("because nothing listens there is given up after a few attempts", async () => {
    await queue.stop();
    start();
    for (let n = 1; n <= 3; n++) {
      await clock.until((delays) => delays.some((delay) => delay < 1000));
      clock.advance(1000);
      await synced(n + 1);
    }
    await plane.until(() => plane.syncs.at(-1)?.waits === undefined);
    expect(plane.syncs).toHaveLength(5);
    expect(log.at(-1)).toMatch(/ECONNREFUSED/);
  });

  test("because it doesn't hold its answers back is asked once a second, then given up", async () => {
    queue.usual = { status: 200, body: () => "<html>Accept our terms</html>" };
    start();
    for (let n = 1; n <= 3; n++) {
      await clock.until((delays) => delays.includes(1000));
      expect(queue.requests).toHaveLength(n);
      clock.advance(1000);
    }
    await synced(2);
    expect(plane.syncs[1]?.waits).toBeUndefined();
    expect(log.at(-1)).toMatch(/too early, without a message/);
  });

  test("because its URL is none is not asked", async () => {
    grant({ url: "file:///etc/passwd" });
    start();
    await synced(2);
    expect(plane.syncs[1]?.waits).toBeUndefined();
    expect(log.at(-1)).toMatch(/expected a URL/);
  });
});

test("a queue that always has a message makes no more than one sync per second", async () => {
  queue.usual = { status: 200, body: message };
  start();
  for (const n of [4, 5, 6]) {
    await clock.until((delays) => delays.includes(1000));
    expect(plane.syncs).toHaveLength(n);
    clock.advance(1000);
  }
});

test("a grant of no time makes no more than one sync per second", async () => {
  grant({ sync_seconds: 0 });
  start();
  await clock.until((delays) => delays.includes(1000));
  expect(plane.syncs).toHaveLength(4);
});

/** Has the agent give up the sync that is held back, for the `n`th one. */
async function askAgain(n: number): Promise<void> {
  loop.changed();
  await clock.until((delays) => delays.includes(50));
  clock.advance(50);
  await synced(n);
}
