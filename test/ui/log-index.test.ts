import { fc } from "../support/property.ts";
import { describe, expect, test } from "vitest";
import { LOG_LEVELS } from "#protocol/log-record.ts";
import { LEVEL_NAMES } from "#protocol/log-text.ts";
import { hashOf, rangeOf } from "../../control-plane/ui/client/line-range.ts";
import { BLOCK_ROWS, LogHeights } from "../../control-plane/ui/client/log-heights.ts";
import { LogIndex } from "../../control-plane/ui/client/log-index.ts";
import { BLOCK_LINES, LogStore } from "../../control-plane/ui/client/log-store.ts";
import { EMPTY_TIMELINE, extendTimeline } from "../../control-plane/ui/timeline.ts";
import { SampleLog } from "../support/sample-log.ts";

const level = (name: (typeof LOG_LEVELS)[number]): number => LEVEL_NAMES.indexOf(name);
const rowsOf = (index: LogIndex): number[] => [...index.lines(0, index.rowCount)];

/** Lines 0 and 1 begin actions, 2 to 4 are in both, 5 and 6 end them; 7 is after them. */
function anIndex(): LogIndex {
  const log = new SampleLog("2026-03-01T12:00:00Z").start("1", "boot").start("1.1", "login");
  log.add("debug", "d").add("error", "e").add("target", "t").end(10).end(10).add("target", "t");
  const { records } = log;
  const index = new LogIndex();
  const levels = Uint8Array.from(records, ({ lvl }) => LEVEL_NAMES.indexOf(lvl as "info"));
  const { actions } = extendTimeline(EMPTY_TIMELINE, records);
  const lengths = new Uint16Array(records.length);
  index.add({ kind: "news", first: 0, levels, lengths, actions, complete: false });
  return index;
}

describe("what the page knows of a log", () => {
  test("knows every level", () => {
    expect(LEVEL_NAMES).toEqual(LOG_LEVELS);
  });

  test("hides levels, but not where an action begins", () => {
    const index = anIndex();
    expect(rowsOf(index)).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    index.showLevels(["target"]);
    expect(rowsOf(index)).toEqual([0, 1, 4, 7]);
    expect(index.failureLine()).toBe(3);
  });

  test("folds an action under its first line, and unfolds it for who goes to a line of it", () => {
    const index = anIndex();
    index.fold(1, true);
    expect(rowsOf(index)).toEqual([0, 1, 6, 7]);
    index.foldAll(true);
    expect(rowsOf(index)).toEqual([0, 7]);
    expect(index.reveal(3)).toBe(true);
    expect(rowsOf(index)).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    index.showLevels(["target"]);
    expect(index.reveal(3)).toBe(true);
    expect(rowsOf(index)).toEqual([0, 1, 3, 4, 7]);
    expect(index.reveal(4)).toBe(false);
  });

  test("finds the row of every line, and of one that is hidden the next", () => {
    const index = anIndex();
    index.showLevels(["target"]);
    expect([0, 1, 2, 4, 5, 7].map((line) => index.rowOf(line))).toEqual([0, 1, 2, 2, 3, 3]);
  });

  test("keeps what is hidden hidden while lines arrive", () => {
    const index = anIndex();
    index.showLevels(["target"]);
    const levels = Uint8Array.of(level("debug"), level("target"));
    index.add({ kind: "news", first: 8, levels, lengths: new Uint16Array(2), complete: true });
    expect(rowsOf(index)).toEqual([0, 1, 4, 7, 9]);
    expect(index.isComplete).toBe(true);
  });
});

test("a log is kept packed, and each of its records is found again", async () => {
  const store = new LogStore(() => Promise.reject(new Error("nothing is missing")));
  const records = Array.from({ length: 2 * BLOCK_LINES + 5 }, (_, n) => ({
    lvl: "target",
    msg: `number ${n}`,
  }));
  for (let from = 0; from < records.length; from += 700)
    await store.add(records.slice(from, from + 700));
  const lines = [0, BLOCK_LINES - 1, BLOCK_LINES, 2 * BLOCK_LINES + 4, 17];
  expect(await store.records(lines)).toEqual(lines.map((line) => records[line]));
  expect((await store.block(1))?.text).toBeInstanceOf(Uint8Array);
  expect((await store.block(2))?.text).toContain(`number ${2 * BLOCK_LINES}`);
  expect(await store.block(3)).toBeUndefined();
});

test("heights of blocks add up, measured or estimated", () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat(20), fc.integer({ min: 1, max: 5000 }))),
      fc.integer({ min: 1, max: 1000 }),
      (measures, rows) => {
        const heights = new LogHeights();
        heights.estimate(rows, 0, () => 18);
        for (const [block, height] of measures) heights.measured(block, height);
        heights.estimate(rows + 70, rows, () => 18);
        expect(heights.blocks).toBe(Math.ceil((rows + 70) / BLOCK_ROWS));
        expect(heights.topOf(heights.blocks)).toBe(heights.total);
        for (let block = 0; block < heights.blocks; block++) {
          expect(heights.blockAt(heights.topOf(block))).toBe(block);
        }
      },
    ),
  );
});

test("addresses name lines and ranges of them", () => {
  expect(rangeOf("#L10")).toEqual({ from: 10, to: 10 });
  expect(rangeOf("#L20-L10")).toEqual({ from: 10, to: 20 });
  expect(rangeOf("#L0")).toEqual({ from: 1, to: 1 });
  for (const other of ["", "#L", "#log-title", "#L1x", "#L9999999999"])
    expect(rangeOf(other)).toBeUndefined();
  expect(hashOf({ from: 3, to: 3 })).toBe("#L3");
  expect(hashOf({ from: 3, to: 5 })).toBe("#L3-L5");
});
