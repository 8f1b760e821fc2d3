import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { LogRecord } from "#protocol/log-record.ts";
import { boundedLog } from "../../worker/host/bounded-log.ts";
import { listSegments, sizeOfLog } from "../../worker/host/log-segments.ts";
import { openSpool, type SpoolOptions } from "../../worker/host/spool.ts";
import { lacking } from "../support/lacking.ts";

let dir: string;
let log: string;
beforeEach(() => {
  dir = mkdtempSync(path.join(tmpdir(), "pumice-spool-"));
  log = path.join(dir, "log.jsonl");
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const linesOf = (file: string): string[] => readFileSync(file, "utf8").split("\n").slice(0, -1);
const allLines = (): string[] => listSegments(log).flatMap(({ file }) => linesOf(file));

describe("a spool", () => {
  test("tells of a flood, and of nothing less", async () => {
    let told = 0;
    const spool = openSpool(log, { onMuch: () => (told += 1) });
    spool.append("a line");
    expect(told).toBe(0);
    for (let n = 0; n < 1024; n++) spool.append("x".repeat(1024));
    await spool.close();
    expect(told).toBe(2);
  });

  test("goes on in another file, named for its first line, once one is long enough", async () => {
    const spool = openSpool(log, { segmentBytes: 10_000 });
    const lines: string[] = [];
    while (listSegments(log).length < 4) {
      for (let n = 0; n < 100; n++) {
        lines.push(`line ${lines.length}`);
        spool.append(lines.at(-1) ?? "");
      }
      await new Promise(setImmediate);
    }
    await spool.close();
    expect(allLines()).toEqual(lines);
    const segments = listSegments(log);
    for (const { file, firstLine } of segments) {
      expect(linesOf(file)[0]).toBe(`line ${firstLine}`);
    }
  });

  test("is one file where nobody asks for more", async () => {
    const spool = openSpool(log);
    for (let n = 0; n < 5000; n++) spool.append("x".repeat(100));
    await spool.close();
    expect(listSegments(log)).toHaveLength(1);
    expect(linesOf(log)).toHaveLength(5000);
  });
});

// A file system of its own, which only root may mount.
describe.skipIf(lacking(process.getuid?.() !== 0, "a small disk needs root"))(
  "a spool on a full disk",
  () => {
    let disk: string;
    beforeEach(() => {
      disk = path.join(dir, "disk");
      mkdirSync(disk);
      execFileSync("mount", ["-t", "tmpfs", "-o", "size=256k", "tmpfs", disk]);
      log = path.join(disk, "log.jsonl");
    });
    afterEach(() => execFileSync("umount", ["--lazy", disk]));

    const open = (options: SpoolOptions = {}) => openSpool(log, { retryMs: 5, ...options });

    test("says so once, keeps what it was given and writes it when there is room again", async () => {
      writeFileSync(path.join(disk, "ballast"), Buffer.alloc(128 * 1024));
      let told = 0;
      const spool = open({ onFull: () => (told += 1) });
      const lines = Array.from({ length: 3000 }, (_, n) => `${n} ${"x".repeat(90)}`);
      for (const line of lines) expect(spool.append(line)).toBe(true);
      await expect.poll(() => told).toBe(1);
      expect(spool.isFull).toBe(true);
      const closed = spool.close();
      execFileSync("mount", ["-o", "remount,size=2m", disk]);
      await closed;
      expect(allLines()).toEqual(lines);
      expect(told).toBe(1);
    });

    test("takes no more than a little once it is full", async () => {
      const spool = open();
      let taken = 0;
      for (let n = 0; n < 20_000; n++) if (spool.append("x".repeat(99))) taken += 1;
      expect(taken).toBeLessThan(14_000);
      execFileSync("mount", ["-o", "remount,size=4m", disk]);
      await spool.close();
      expect(allLines()).toHaveLength(taken);
    });

    test("is given up when nobody wants to wait", async () => {
      const spool = open();
      for (let n = 0; n < 4000; n++) spool.append("x".repeat(99));
      await spool.close(AbortSignal.abort());
      expect(statSync(log).size).toBeGreaterThan(200_000);
    });

    test("has a log that tells what is missing of it, and that is whole but for that", async () => {
      const reserve = path.join(disk, "reserve");
      writeFileSync(reserve, Buffer.alloc(64 * 1024));
      const spool = open({ onFull: () => rmSync(reserve) });
      const bounded = boundedLog(spool, log, { logBytes: 1e9, spoolBytes: 1e9 });
      const numbers = await fill(bounded, 3000);
      const last = bounded.append(...record("the end", "info"));
      bounded.end();
      await spool.close();
      const messages = allLines().map((line) => (JSON.parse(line) as LogRecord).msg);
      const at = messages.findIndex((msg) => String(msg).startsWith("Pumice:"));
      expect(messages[at]).toMatch(
        new RegExp(
          `^Pumice: ${3000 - at} records .* behind line ${at - 1}: the worker's disk is full`,
        ),
      );
      expect(messages[last]).toBe("the end");
      expect(messages.slice(0, at)).toEqual(Array.from({ length: at }, (_, n) => text(n)));
      expect(numbers.slice(0, at)).toEqual(Array.from({ length: at }, (_, n) => n));
      expect(new Set(numbers.slice(at))).toEqual(new Set([at]));
    });
  },
);

describe("a bounded log", () => {
  const open = (limits: { logBytes?: number; spoolBytes?: number }, options: SpoolOptions = {}) => {
    const spool = openSpool(log, options);
    return {
      spool,
      bounded: boundedLog(spool, log, { logBytes: 1e9, spoolBytes: 1e9, ...limits }),
    };
  };
  const messages = (): unknown[] => allLines().map((line) => (JSON.parse(line) as LogRecord).msg);

  test("ends its DUT's output at its limit, with a record of it, and not its own results", async () => {
    const { spool, bounded } = open({ logBytes: 20_000 });
    await fill(bounded, 1000);
    const msg = { definition: "lava", case: "job", result: "pass" };
    expect(bounded.append(...record(msg, "results"))).toEqual(
      expect.toSatisfy((at: number) => at > 2),
    );
    bounded.end();
    await spool.close();
    const [loss, final] = messages().slice(-2);
    expect(loss).toMatch(/records \([\d.]+ MB\) were left out .* may have 0 MB \(PUMICE_LOG_MB/);
    expect(final).toEqual(msg);
    expect(sizeOfLog(log)).toBeLessThan(22_000);
  });

  test("leaves out while too much waits to be delivered, and goes on when that is gone", async () => {
    const { spool, bounded } = open({ spoolBytes: 1_500_000 }, { segmentBytes: 100_000 });
    // A file is turned to once the disk has the one before, which is a matter of its speed.
    for (let files = 2; files <= 4; files++) {
      await fill(bounded, 1000);
      const turned = async (): Promise<number> => {
        await fill(bounded, 10);
        return listSegments(log).length;
      };
      await expect.poll(turned, { timeout: 20_000 }).toBeGreaterThanOrEqual(files);
    }
    await fill(bounded, 20_000);
    const before = allLines().length;
    // As the agent does: the last one is being written to.
    for (const { file } of listSegments(log).slice(0, -1)) rmSync(file);
    await fill(bounded, 1000);
    bounded.end();
    await spool.close();
    expect(before).toBeLessThan(20_000);
    expect(sizeOfLog(log)).toBeLessThan(3_000_000);
    const losses = messages().filter((msg) => String(msg).startsWith("Pumice:"));
    expect(losses).toHaveLength(1);
    expect(losses[0]).toMatch(/1\.5 MB of it wait to be delivered already \(PUMICE_SPOOL_MB/);
    expect(messages().at(-1)).toBe(text(999));
  });
});

const text = (n: number): string => `${n} ${"x".repeat(50)}`;
const record = (msg: LogRecord["msg"], lvl: LogRecord["lvl"] = "target"): [string, LogRecord] => {
  const one: LogRecord = { dt: "2026-03-01T12:00:00.000000+00:00", lvl, msg };
  return [JSON.stringify(one), one];
};

/** The DUT's lines, and the numbers that they were told to have. */
async function fill(bounded: ReturnType<typeof boundedLog>, count: number): Promise<number[]> {
  const numbers: number[] = [];
  for (let n = 0; n < count; n++) {
    numbers.push(bounded.append(...record(text(n))));
    if (n % 100 === 0) await new Promise(setImmediate);
  }
  return numbers;
}
