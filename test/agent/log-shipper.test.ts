import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  MAX_CHUNK_EVENTS,
  MAX_CHUNK_RESULT_BYTES,
  MAX_EVENT_CHARS,
  type LogCommitRequest,
} from "#protocol/worker-api.ts";
import type { AgentDeps } from "../../worker/agent/agent-deps.ts";
import { Bell } from "../../worker/agent/bell.ts";
import { systemClock, type Clock } from "../../worker/agent/clock.ts";
import { ControlPlane } from "../../worker/agent/control-plane.ts";
import { LogShipper } from "../../worker/agent/log-shipper.ts";
import { HttpClient } from "../../worker/host/http-client.ts";
import { listSegments, segmentFile } from "../../worker/host/log-segments.ts";
import { FakeControlPlane, type FakeJob, type Fault } from "../support/fake-control-plane.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { fc } from "../support/property.ts";

let plane: FakeControlPlane;
let http: HttpClient;
let dir: string;
beforeEach(async () => {
  plane = await new FakeControlPlane().listen();
  http = new HttpClient(plane.url);
  dir = mkdtempSync(path.join(tmpdir(), "pumice-shipper-"));
});
afterEach(async () => {
  http.close();
  await plane.stop();
  rmSync(dir, { recursive: true, force: true });
});

/** Delays pass at once, but only when everything else that could happen has. */
const hurried: Clock = {
  ...systemClock,
  now: (() => {
    let now = 0;
    return () => (now += 10_000);
  })(),
  random: () => 0.5,
  sleep: (_, signal) => systemClock.sleep(1, signal),
};

function shipper(
  file: string,
  {
    isNew = true,
    clock = hurried,
    id = 1,
    keepBytes = 0,
    logBodyBytes = 0,
  }: {
    isNew?: boolean;
    clock?: Clock;
    id?: number;
    keepBytes?: number;
    /** What the control plane said of it last. */
    logBodyBytes?: number;
  } = {},
) {
  const controlPlane = new ControlPlane(http, () => plane.token);
  controlPlane.logBodyBytes = () => logBodyBytes;
  const deps: AgentDeps = {
    controlPlane,
    clock,
    workDir: dir,
    limits: { keepBytes, minFreeBytes: 0 },
    cleanUpCommand: () => ["unused"],
    runnerCommand: () => ["false"],
    log: () => {},
    changed: () => {},
  };
  const retry = new Bell();
  const log = { id, token: `token-${id}`, file, firstLine: 0 };
  return { shipper: new LogShipper(deps, log, isNew, retry), retry };
}

const record = (msg: unknown, lvl = "target"): string =>
  JSON.stringify({ dt: "2026-03-01T12:00:00.000000+00:00", lvl, msg });

const faults: fc.Arbitrary<Fault | undefined> = fc.oneof(
  { weight: 4, arbitrary: fc.constant(undefined) },
  { weight: 3, arbitrary: fc.constant("lose" as const) },
  fc.constantFrom<Fault>(
    "drop",
    { status: 500 },
    { status: 503, headers: { "retry-after": "1" } },
    { status: 409, body: { code: "conflict", message: "try again" } },
    { status: 502, body: "<html>" },
  ),
);
/**
 * What happens to the log while it is shipped; `restart`: the agent is killed and another begins; `turn`: it goes on in another
 * file, and what is delivered of those before is removed.
 */
const events = fc.array(
  fc.oneof(
    { weight: 4, arbitrary: fc.record({ append: fc.array(fc.string(), { maxLength: 30 }) }) },
    fc.record({ half: fc.string({ minLength: 1 }) }),
    fc.constant("restart" as const),
    fc.constant("turn" as const),
    { weight: 4, arbitrary: fc.constant("pause" as const) },
  ),
  { minLength: 1, maxLength: 16 },
);

/** How large a chunk may be that comes with its commit: as the agent heard last, and as it is now. */
const bodies = fc.constantFrom<[number, number | undefined]>(
  [0, undefined],
  [65536, 65536],
  [150, 65536],
  // An older version of before is back.
  [65536, undefined],
);

test("under any faults and restarts the log arrives once and in order", async () => {
  let id = 0;
  const bad = fc.array(faults, { maxLength: 40 });
  await fc.assert(
    fc.asyncProperty(events, bad, bodies, async (happens, bad, [logBodyBytes, now]) => {
      plane.logBodyBytes = now;
      const file = path.join(dir, `log-${++id}`);
      let end = file;
      const job = plane.submit(id, []);
      const queue = [...bad];
      plane.fault = () => queue.shift();
      const expected: string[] = [];
      let current = shipper(file, { id, logBodyBytes });
      let stop = new AbortController();
      let running = current.shipper.run(stop.signal);
      for (const event of happens) {
        if (event === "restart") {
          stop.abort();
          await running;
          current = shipper(file, { isNew: false, id, logBodyBytes });
          stop = new AbortController();
          running = current.shipper.run(stop.signal);
        } else if (event === "turn") {
          end = segmentFile(file, expected.length);
          appendFileSync(end, "");
        } else if (event === "pause") {
          // Long enough for a request or two: what follows falls between a lost answer and its repetition.
          await systemClock.sleep(3);
        } else if ("half" in event) {
          const line = record(event.half);
          appendFileSync(end, line.slice(0, 9));
          await systemClock.sleep(1);
          appendFileSync(end, `${line.slice(9)}\n`);
          expected.push(line);
        } else {
          const lines = event.append.map((text) => record(text));
          appendFileSync(end, lines.map((line) => `${line}\n`).join(""));
          expected.push(...lines);
        }
        current.shipper.poke();
      }
      current.shipper.end();
      expect(await running).toBe(expected.length);
      expect(job.lines).toEqual(expected);
      expect(listSegments(file)).toHaveLength(1);
    }),
    { numRuns: 100 },
  );
});

test("a log of many chunks is cut at whole lines, with every result at its line", async () => {
  const file = path.join(dir, "log");
  const lines = Array.from({ length: 25_000 }, (_, n) =>
    n % 100 === 0
      ? record({ definition: "0_x", case: `case-${n}`, result: "pass" }, "results")
      : record(`line ${n} ${"ä€".repeat(20)}`),
  );
  writeFileSync(file, `${lines.join("\n")}\n`);
  const job = plane.submit(1, []);
  const { shipper: one } = shipper(file);
  one.end();
  expect(await one.run(new AbortController().signal)).toBe(lines.length);
  expect(job.lines).toEqual(lines);
  expect(job.results.map(({ line }) => line)).toEqual(
    Array.from({ length: 250 }, (_, n) => n * 100),
  );
});

test("the next chunk is read and uploaded before the one in front of it is committed", async () => {
  const file = path.join(dir, "log");
  const lines = Array.from({ length: 3 }, (_, n) => record(`${n} ${"x".repeat(900_000)}`));
  writeFileSync(file, `${lines.join("\n")}\n`);
  const job = plane.submit(1, []);
  const { shipper: one } = shipper(file);
  // A commit that waits for the next upload waits for ever if nobody looks ahead.
  plane.patience = ({ what }) =>
    what === "log-chunks" && job.lines.length < 2
      ? plane.until(
          () => plane.requests.filter((each) => each === "put 1").length > job.lines.length + 1,
        )
      : undefined;
  one.end();
  expect(await one.run(new AbortController().signal)).toBe(3);
  expect(job.lines).toEqual(lines);
});

test("an upload of what comes next that failed is done again when its turn comes", async () => {
  const file = path.join(dir, "log");
  const lines = Array.from({ length: 4 }, (_, n) => record(`${n} ${"x".repeat(900_000)}`));
  writeFileSync(file, `${lines.join("\n")}\n`);
  const job = plane.submit(1, []);
  let puts = 0;
  plane.fault = ({ what }) => (what === "put" && ++puts === 2 ? { status: 500 } : undefined);
  const { shipper: one } = shipper(file);
  one.end();
  expect(await one.run(new AbortController().signal)).toBe(4);
  expect(job.lines).toEqual(lines);
  expect(plane.requests.filter((each) => each === "log-chunks 1")).toHaveLength(4);
});

test("results are never more than one chunk may have, and a huge one is shortened beside its log", async () => {
  const file = path.join(dir, "log");
  const result = (n: number, size: number) =>
    record(
      { definition: "0_x", case: `c-${n}`, result: "fail", error_msg: "é".repeat(size) },
      "results",
    );
  const lines = [result(0, 10), result(1, 60_000), result(2, 60_000), result(3, 150_000)];
  writeFileSync(file, `${lines.join("\n")}\n`);
  const commits: LogCommitRequest[] = [];
  plane.fault = ({ what, body }) => {
    if (what === "log-chunks") commits.push(JSON.parse(body.toString()) as LogCommitRequest);
    return undefined;
  };
  const job = plane.submit(1, []);
  const { shipper: one } = shipper(file);
  one.end();
  await one.run(new AbortController().signal);
  expect(job.lines).toEqual(lines);
  expect(job.results.map(({ msg }) => msg["case"])).toEqual(["c-0", "c-1", "c-2", "c-3"]);
  for (const { results } of commits) {
    expect(Buffer.byteLength(JSON.stringify(results))).toBeLessThanOrEqual(MAX_CHUNK_RESULT_BYTES);
  }
  expect(job.results[3]?.msg["error_msg"]).toMatch(/too long/);
});

test("what the DUT says by lava-test-event goes with its chunk: so many, and of each so much", async () => {
  const file = path.join(dir, "log");
  const lines = [
    record('quotes "event" only'),
    record("first", "event"),
    record("é".repeat(MAX_EVENT_CHARS + 1), "event"),
    record({ no: "text" }, "event"),
    ...Array.from({ length: MAX_CHUNK_EVENTS }, (_, n) => record(`more-${n}`, "event")),
  ];
  writeFileSync(file, `${lines.join("\n")}\n`);
  const commits: LogCommitRequest[] = [];
  plane.fault = ({ what, body }) => {
    if (what === "log-chunks") commits.push(JSON.parse(body.toString()) as LogCommitRequest);
    return undefined;
  };
  const job = plane.submit(1, []);
  const { shipper: one } = shipper(file);
  one.end();
  await one.run(new AbortController().signal);
  expect(job.lines).toEqual(lines);
  const [first, second, ...others] = commits.flatMap(({ events = [] }) => events);
  expect([first, second]).toEqual(["first", "é".repeat(MAX_EVENT_CHARS)]);
  expect(others).toEqual(Array.from({ length: MAX_CHUNK_EVENTS - 2 }, (_, n) => `more-${n}`));
});

test("a log that the disk forgot in part goes on at the control plane's line", async () => {
  const file = path.join(dir, "log");
  writeFileSync(file, `${record("kept")}\n`);
  const job = plane.submit(1, []);
  job.lines.push(record("kept"), record("forgotten"));
  const { shipper: one } = shipper(file, { isNew: false });
  one.end();
  expect(await one.run(new AbortController().signal)).toBe(2);
  expect(job.lines).toHaveLength(2);
});

describe("a log of several files", () => {
  const lines = Array.from({ length: 30 }, (_, n) => record(`line ${n}`));
  const whole = (some: string[]): string => some.map((line) => `${line}\n`).join("");
  let file: string;
  beforeEach(() => {
    file = path.join(dir, "log");
    for (const n of [0, 10, 20]) {
      writeFileSync(segmentFile(file, n), whole(lines.slice(n, n + 10)));
    }
  });

  test("keeps those that were delivered while there is room for them", async () => {
    const job = plane.submit(1, []);
    const { shipper: one } = shipper(file, { keepBytes: 1_000_000 });
    one.end();
    expect(await one.run(new AbortController().signal)).toBe(30);
    expect(job.lines).toEqual(lines);
    expect(listSegments(file).map(({ firstLine }) => firstLine)).toEqual([0, 10, 20]);
  });

  test("is taken up again where the control plane is, in whichever file that stands", async () => {
    for (const known of [0, 9, 10, 11, 20, 29, 30]) {
      const job = plane.submit(100 + known, []);
      job.lines.push(...lines.slice(0, known));
      const { shipper: one } = shipper(file, { isNew: false, id: 100 + known, keepBytes: 1e6 });
      one.end();
      expect(await one.run(new AbortController().signal)).toBe(30);
      expect(job.lines).toEqual(lines);
    }
  });

  test("that a control plane of a backup wants again has notes in place of what was removed", async () => {
    rmSync(file);
    const job = plane.submit(1, []);
    job.lines.push(...lines.slice(0, 4));
    const { shipper: one } = shipper(file, { isNew: false });
    one.end();
    expect(await one.run(new AbortController().signal)).toBe(30);
    expect(job.lines.slice(4, 10)).toEqual(
      Array.from({ length: 6 }, () => expect.stringMatching(/delivered before/)),
    );
    expect([...job.lines.slice(0, 4), ...job.lines.slice(10)]).toEqual([
      ...lines.slice(0, 4),
      ...lines.slice(10),
    ]);
  });
});

test("an aborted shipper returns undefined even while it waits out a long delay", async () => {
  const file = path.join(dir, "log");
  writeFileSync(file, `${record("a")}\n`);
  plane.submit(1, []);
  const failed = new Promise<void>((resolve) => {
    plane.fault = () => {
      resolve();
      return { status: 503, headers: { "retry-after": "300" } };
    };
  });
  const { shipper: one } = shipper(file, { clock: systemClock });
  one.end();
  const stop = new AbortController();
  const running = one.run(stop.signal);
  await failed;
  stop.abort();
  expect(await running).toBeUndefined();
});

test("a log that grew after a commit whose answer was lost goes on behind that commit", async () => {
  const file = path.join(dir, "log");
  const [first, second] = [record("first"), record("second")];
  writeFileSync(file, `${first}\n`);
  // Twice, for the client repeats a request at once whose kept connection broke.
  let commits = 0;
  plane.fault = ({ what }) => {
    if (what !== "log-chunks" || ++commits > 2) return undefined;
    if (commits === 1) appendFileSync(file, `${second}\n`);
    return commits === 1 ? "lose" : "drop";
  };
  const job = plane.submit(1, []);
  const { shipper: one } = shipper(file);
  one.end();
  expect(await one.run(new AbortController().signal)).toBe(2);
  expect(job.lines).toEqual([first, second]);
});

describe("how soon a log is shipped", () => {
  let clock: ManualClock;
  let file: string;
  let one: LogShipper;
  let job: FakeJob;
  let stop: AbortController;
  let running: Promise<unknown>;
  beforeEach(() => {
    clock = new ManualClock();
    file = path.join(dir, "log");
    writeFileSync(file, "");
    job = plane.submit(1, []);
    ({ shipper: one } = shipper(file, { clock }));
    stop = new AbortController();
    running = one.run(stop.signal);
  });
  afterEach(async () => {
    stop.abort();
    await running;
  });

  const isAsleep = (): Promise<void> => clock.until((delays) => delays.length > 0);

  async function append(text: string): Promise<void> {
    await isAsleep();
    appendFileSync(file, `${record(text)}\n`);
    one.poke();
    await clock.until((delays) => delays.includes(2000));
  }

  /** Seconds until the log is there up to its `n`th line. */
  async function secondsUntil(n: number): Promise<number> {
    for (let seconds = 0; ; seconds += 0.5) {
      await isAsleep();
      if (job.lines.length >= n) return seconds;
      clock.advance(500);
    }
  }

  test("while nobody watches, chunks grow from ten seconds to a minute", async () => {
    const waits: number[] = [];
    for (let n = 1; n <= 5; n++) {
      await append(`line ${n}`);
      waits.push(await secondsUntil(n));
    }
    expect(waits).toEqual([10, 20, 40, 60, 60]);
    expect(plane.requests).toHaveLength(15);
  });

  test("at once when somebody begins to watch", async () => {
    await append("a");
    one.isWatched = true;
    await clock.until((delays) => delays.includes(50) || job.lines.length === 1);
    clock.advance(50);
    await plane.until(() => job.lines.length === 1);
  });

  test("while somebody watches, 50 ms after a quiet second, up to 400 ms while more and more comes", async () => {
    one.isWatched = true;
    const waits: number[] = [];
    for (const quietMs of [0, 0, 0, 0, 0, 1001]) {
      await isAsleep();
      clock.advance(quietMs);
      await isAsleep();
      appendFileSync(file, `${record("a line")}\n`);
      one.poke();
      await clock.until((delays) => delays.some((ms) => ms <= 400));
      const [wait = NaN] = clock.delays;
      waits.push(wait);
      clock.advance(wait);
      await plane.until(() => job.lines.length === waits.length);
    }
    expect(waits).toEqual([50, 100, 200, 400, 400, 50]);
  });

  test("at once when the job ends", async () => {
    await append("a");
    one.end();
    expect(await running).toBe(1);
    expect(job.lines).toHaveLength(1);
  });

  test("at once when it is much", async () => {
    await isAsleep();
    appendFileSync(file, `${record("x".repeat(2 ** 21))}\n`);
    one.poke();
    await plane.until(() => job.lines.length === 1);
  });

  test("at once when it is much in several files together", async () => {
    await isAsleep();
    appendFileSync(file, `${record("x".repeat(900_000))}\n`);
    appendFileSync(segmentFile(file, 1), `${record("x".repeat(900_000))}\n`);
    one.poke();
    await plane.until(() => job.lines.length === 1);
  });

  test("at once when it becomes much, which so many changes may show before the next look is due", async () => {
    await append("a");
    appendFileSync(file, `${record("x".repeat(2 ** 21))}\n`);
    for (let change = 0; change < 8; change++) one.poke();
    await plane.until(() => job.lines.length === 2);
  });
});

test("an upload that the storage refuses is tried again at a new place, and no record is given up", async () => {
  const file = path.join(dir, "log");
  writeFileSync(file, `${record("a")}\n${record("b")}\n`);
  const job = plane.submit(1, []);
  const refusals = [400, 403, 400, 400, 404];
  plane.fault = ({ what }) => {
    const status = what === "put" ? refusals.shift() : undefined;
    return status === undefined ? undefined : { status };
  };
  const { shipper: one } = shipper(file);
  one.end();
  expect(await one.run(new AbortController().signal)).toBe(2);
  expect(job.lines).toEqual([record("a"), record("b")]);
  expect(plane.requests.filter((what) => what === "log-uploads 1")).toHaveLength(6);
});
