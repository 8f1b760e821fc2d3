import { describe, expect, test } from "vitest";
import {
  EMPTY_TIMELINE,
  extendTimeline,
  failedAction,
  failureLineOf,
  outcomeOf,
  runsOf,
} from "../../control-plane/ui/timeline.ts";
import { sampleLog, SampleLog } from "../support/sample-log.ts";

const START = "2026-03-01T12:00:00.000Z";
const read = (log: SampleLog) => extendTimeline(EMPTY_TIMELINE, log.records);

describe("a timeline", () => {
  test("has level, name, begin, end, limit and line of each action", () => {
    const log = new SampleLog(START).add("info", "hello").start("1", "tmpfs-deploy", "01:02:03");
    log.pass(500).start("1.1", "http-download").end(1500).end(10);
    const start = Date.parse(START);
    expect(read(log)).toEqual({
      next: 5,
      lastTime: start + 2010,
      actions: [
        {
          level: "1",
          name: "tmpfs-deploy",
          start,
          end: start + 2010,
          timeoutSeconds: 3723,
          line: 1,
          endLine: 4,
          failed: false,
        },
        {
          level: "1.1",
          name: "http-download",
          start: start + 500,
          end: start + 2000,
          timeoutSeconds: 120,
          line: 2,
          endLine: 3,
          failed: false,
        },
      ],
    });
  });

  test("marks what failed, and the deepest of it is where to look", () => {
    const timeline = extendTimeline(EMPTY_TIMELINE, sampleLog(START, { failure: true }));
    const failed = timeline.actions.filter((action) => action.failed).map(({ name }) => name);
    expect(failed).toEqual(["boot-image-retry", "auto-login-action"]);
    expect(failedAction(timeline)?.name).toBe("auto-login-action");
  });

  test("the line to look at is the last error of what failed, else its end", () => {
    const log = new SampleLog(START).start("1", "boot").start("1.1", "login");
    log.add("error", "a try").add("error", "Login incorrect").add("debug", "hanging up");
    const said = read(log.end(5, "Login incorrect").add("error", "of boot alone"));
    expect(said.actions.map(failureLineOf)).toEqual([8, 5]);
    const silent = read(new SampleLog(START).start("1", "boot").add("target", "...").end(5));
    expect(silent.actions.map(failureLineOf)).toEqual([2]);
    expect(read(new SampleLog(START).start("1", "boot")).actions.map(failureLineOf)).toEqual([0]);
  });

  test("keeps the runs of a retried action apart", () => {
    const log = new SampleLog(START).start("1", "retry").start("1.1", "download").end(5, "404");
    log.start("1.1", "download").end(7).end();
    expect(read(log).actions.map(({ level, failed }) => [level, failed])).toEqual([
      ["1", false],
      ["1.1", true],
      ["1.1", false],
    ]);
  });

  test("leaves an action open that has no end", () => {
    const [action] = read(new SampleLog(START).start("1", "boot")).actions;
    expect(action?.end).toBeUndefined();
  });

  test("is the same whether a log comes whole or in parts", () => {
    const records = sampleLog(START);
    let timeline = EMPTY_TIMELINE;
    for (let from = 0; from < records.length; from += 7) {
      timeline = extendTimeline(timeline, records.slice(from, from + 7));
    }
    expect(timeline).toEqual(extendTimeline(EMPTY_TIMELINE, records));
  });

  test("does not believe a device that prints what a runner says", () => {
    const log = new SampleLog(START);
    for (const level of ["target", "input", "feedback", "warning"]) {
      log.add(level, "start: 1 fake (timeout 00:00:10) [common]");
    }
    log.add(
      "info",
      "start: now",
      "end: 1 nothing",
      "start: 1 a b (timeout 00:00:10)",
      ["start: 1 x"],
      null,
    );
    expect(read(log).actions).toEqual([]);
  });

  test("does not grow without bounds, and takes a time that is none for the one before", () => {
    const log = new SampleLog(START);
    for (let n = 0; n < 3000; n++) log.start("1", "again");
    expect(read(log).actions).toHaveLength(2000);
    const odd = [{ dt: 7, lvl: "info", msg: "start: 1 boot (timeout 00:00:10)" }];
    expect(extendTimeline({ ...EMPTY_TIMELINE, lastTime: 42 }, odd).actions[0]?.start).toBe(42);
  });
});

describe("runs of actions", () => {
  const told = (log: SampleLog) => {
    const { actions } = read(log);
    return runsOf(actions).map(({ run, isLast }, n) => {
      const action = actions[n]!;
      return `${action.level} ${run} ${outcomeOf(action, true, isLast)}`;
    });
  };

  test("are counted within their parent's, and what was tried again is no failure of the job", () => {
    const log = new SampleLog(START).start("2", "uboot-retry");
    for (const failure of ["no prompt", undefined]) {
      log.start("2.1", "u-boot").start("2.1.1", "interrupt").end(10, failure).end(10, failure);
    }
    expect(told(log.end())).toEqual([
      "2 1 done",
      "2.1 1 retried",
      "2.1.1 1 retried",
      "2.1 2 done",
      "2.1.1 1 done",
    ]);
  });

  test("of the same name at several levels are none of each other", () => {
    const log = new SampleLog(START).start("1", "deploy").start("1.1", "download").end();
    log.start("1.2", "download").end(5, "gone").end(5, "gone").start("2", "download");
    expect(told(log)).toEqual(["1 1 failed", "1.1 1 done", "1.2 1 failed", "2 1 cut-off"]);
  });
});
