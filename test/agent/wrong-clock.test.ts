import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { systemClock } from "../../worker/agent/clock.ts";
import { watchServerClock } from "../../worker/agent/server-clock.ts";
import { SyncLoop, type SyncLoopDeps } from "../../worker/agent/sync-loop.ts";
import { wallClock } from "../../worker/host/server-time.ts";
import { startDeadline } from "../../worker/pipeline/deadline.ts";
import { JobFailure } from "../../worker/pipeline/job-failure.ts";
import { makeRecorder } from "../../worker/pipeline/recorder.ts";
import { AgentBench } from "../support/agent-bench.ts";
import { agentProgram } from "../support/agent-program.ts";
import { FakeControlPlane } from "../support/fake-control-plane.ts";
import { ManualClock } from "../support/manual-clock.ts";

const HOUR_MS = 3600_000;
const YEARS_MS = 40 * 365 * 24 * HOUR_MS;
const realNow = Date.now;

/** This machine's clock is that far from the right time; the server's isn't: it asks another way. */
const setClock = (offMs: number): void => {
  vi.spyOn(Date, "now").mockImplementation(() => realNow() + offMs);
};

beforeEach(() => vi.stubEnv("PUMICE_SERVER_BOOT_MS", undefined));
afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
});

describe("the control plane's time", () => {
  test("is compared with this machine's: a difference is told once, and once that it is gone", () => {
    const log: string[] = [];
    const { heard } = watchServerClock((line) => log.push(line));
    heard(realNow());
    expect(log).toEqual([]);
    setClock(-YEARS_MS);
    heard(realNow());
    heard(realNow());
    expect(log).toHaveLength(1);
    const years = [new Date(realNow() - YEARS_MS), new Date()].map((date) => date.getUTCFullYear());
    expect(log[0]).toMatch(
      new RegExp(
        `^this machine's clock says ${years[0]}-.*, the control plane's ${years[1]}-.*NTP`,
      ),
    );
    setClock(0);
    heard(realNow());
    expect(log[1]).toMatch(/agrees with the control plane's again/);
    setClock(-31_000);
    heard(realNow());
    expect(log).toHaveLength(3);
  });

  test("dates what this machine's clock would date decades off, here and in programs started from now on", () => {
    setClock(-YEARS_MS);
    const { heard, wall } = watchServerClock(() => {});
    expect(wall()).toBe(Date.now());
    heard(realNow());
    for (const clock of [wall, wallClock()])
      expect(Math.abs(clock() - realNow())).toBeLessThan(5000);
  });

  test("is not taken for what this machine's clock knows better", () => {
    setClock(-20_000);
    const { heard, wall } = watchServerClock(() => {});
    heard(realNow());
    vi.spyOn(Date, "now").mockReturnValue(realNow() - 20_000);
    expect(wall()).toBe(Date.now());
  });
});

describe("a clock that is set in the middle of a job", () => {
  test.each([YEARS_MS, -YEARS_MS])("by %i ms ends no deadline and disorders no log", (jump) => {
    watchServerClock(() => {}).heard(realNow());
    const outer = { signal: new AbortController().signal, atMs: Infinity };
    const deadline = startDeadline(3600, outer, () => new JobFailure("Test", "late"));
    const dates: string[] = [];
    const recorder = makeRecorder({ sink: (_line, { dt }) => dates.push(dt) });
    recorder.info("before");
    setClock(jump);
    deadline.suspend();
    deadline.resume();
    recorder.info("after");
    setClock(0);
    recorder.info("set back");
    expect(deadline.signal.aborted).toBe(false);
    deadline.clear();
    const times = dates.map((date) => Date.parse(date));
    for (const time of times) expect(Math.abs(time - realNow())).toBeLessThan(5000);
  });

  test("has the control plane asked at once, if it didn't answer", async () => {
    const clock = new ManualClock();
    const stop = new AbortController();
    const log: string[] = [];
    let asked = 0;
    const sync = async (): Promise<never> => {
      asked++;
      throw new Error(
        `the certificate is not valid yet: this machine's clock says 1970-01-01T00:0${asked}:00Z`,
      );
    };
    const deps = {
      controlPlane: { sync, askQueue: sync },
      clock,
      log: (line: string) => log.push(line),
      reports: () => [],
      apply: () => {},
      restored: () => {},
      refreshToken: () => {},
    } satisfies SyncLoopDeps;
    const done = new SyncLoop().run(deps, stop.signal);
    await clock.until((delays) => delays.length === 1);
    expect(asked).toBe(1);
    clock.set(YEARS_MS);
    await clock.until((delays) => delays.length === 1 && asked === 2);
    expect(log).toEqual([
      expect.stringContaining("not valid yet: this machine's clock says 1970-01-01T00:01:00Z"),
      "this machine's clock was set, trying at once",
    ]);
    stop.abort();
    await done;
  });

  test("is noticed", async () => {
    vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
    const heard = vi.fn<() => void>();
    const stop = systemClock.onSet(heard);
    vi.advanceTimersByTime(1000);
    expect(heard).not.toHaveBeenCalled();
    setClock(HOUR_MS);
    vi.advanceTimersByTime(1000);
    expect(heard).toHaveBeenCalledTimes(1);
    vi.advanceTimersByTime(5000);
    expect(heard).toHaveBeenCalledTimes(1);
    stop();
    setClock(0);
    vi.advanceTimersByTime(5000);
    expect(heard).toHaveBeenCalledTimes(1);
    vi.useRealTimers();
  });
});

describe("an agent on a machine that starts in 1970", () => {
  let program: Awaited<ReturnType<typeof agentProgram>>;
  let plane: FakeControlPlane;
  let bench: AgentBench;
  beforeAll(async () => {
    program = await agentProgram();
  });
  afterAll(() => program.remove());
  beforeEach(async () => {
    plane = await new FakeControlPlane().listen();
    bench = new AgentBench(program.file, plane.token);
  });
  afterEach(async () => {
    await bench.close();
    await plane.stop();
  });

  test("runs jobs, says what time it is elsewhere, and dates what it writes by that", async () => {
    setClock(-realNow());
    plane.submit(1, [{ log: 2 }, { die: true }]);
    const { log } = bench.start(plane.url);
    const job = await plane.finished(1);
    expect(log.filter((line) => line.includes("clock says 1970-01-01T00:00"))).toHaveLength(1);
    const { dt } = JSON.parse(job.lines.at(-1) ?? "") as { dt: string };
    expect(Math.abs(Date.parse(dt) - realNow())).toBeLessThan(60_000);
  });
});
