import { expect, test } from "vitest";
import type { LogRecord } from "#protocol/log-record.ts";
import { makeRecorder } from "../../worker/pipeline/recorder.ts";
import { fc } from "../support/property.ts";

function recording(secrets: string[] = []) {
  const lines: string[] = [];
  const records: LogRecord[] = [];
  const recorder = makeRecorder({
    sink: (line, record) => {
      lines.push(line);
      records.push(record);
    },
    secrets,
    nowMicros: () => 1_785_578_400_123_456,
  });
  return { recorder, lines, records };
}

test("a record is one line of JSON with LAVA's keys in LAVA's order, and microseconds", () => {
  const { recorder, lines } = recording();
  recorder.info("start: 1 deployimages (timeout 00:02:00) [common]");
  expect(lines).toEqual([
    '{"dt":"2026-08-01T10:00:00.123456+00:00","lvl":"info","msg":"start: 1 deployimages (timeout 00:02:00) [common]"}',
  ]);
  recorder.write("feedback", "boot", "host");
  expect(Object.keys(JSON.parse(lines[1] ?? "") as object)).toEqual(["dt", "lvl", "msg", "ns"]);
});

test("a line is its record, whatever is in it", () => {
  const { recorder, lines, records } = recording();
  fc.assert(
    fc.property(
      fc.oneof(fc.string({ unit: "binary" }), fc.constantFrom("\ud800", '"\\', "\u2028\0")),
      fc.option(fc.string(), { nil: undefined }),
      (text, namespace) => {
        recorder.write("target", text, namespace);
        expect(lines.at(-1)).toBe(JSON.stringify(records.at(-1)));
      },
    ),
    { numRuns: 50 },
  );
});

test("a record knows its number in the log", () => {
  const { recorder } = recording();
  expect([recorder.write("target", "a"), recorder.write("target", "b")]).toEqual([0, 1]);
  expect(recorder.lines).toBe(2);
});

test("lines that come together are recorded as they are one by one", () => {
  const together = recording(["a secret of eight"]);
  const apart = recording(["a secret of eight"]);
  fc.assert(
    fc.property(
      fc.array(
        fc.constantFrom(
          "",
          "said",
          "a se",
          "cret of eight",
          "a secret of eight",
          '"\\',
          "\r",
          " \0",
        ),
      ),
      fc.option(fc.constant("host"), { nil: undefined }),
      (texts, namespace) => {
        const numbers = texts.map((text) => apart.recorder.write("target", text, namespace));
        expect(together.recorder.writeLines("target", texts, namespace)).toEqual(numbers);
        expect(together.lines).toEqual(apart.lines);
        expect(together.records).toEqual(apart.records);
      },
    ),
  );
  together.recorder.close();
  const { lines } = together.recorder;
  expect(together.recorder.writeLines("target", ["too late"])).toEqual([lines]);
  expect(together.lines.length).toBe(lines);
});

test("a record of 100000 characters or more is replaced by a note; a result stays a result", () => {
  const { recorder, records } = recording();
  recorder.write("target", "x".repeat(100_000));
  recorder.result({ definition: "s", case: "c", result: "fail", extra: "y".repeat(100_000) });
  expect(records[0]?.msg).toMatch(/^<line way too long: \d+ characters>$/);
  expect(records[1]?.msg).toMatchObject({ definition: "s", case: "c", result: "fail" });
  expect(records[1]?.msg).toHaveProperty("skip");
});

test("a result that is cut short still says which attempt it is of, and that another one follows", () => {
  const { recorder, records } = recording();
  const marks = { attempt: "1 of 2", retried: true, attempt_start: 7 };
  recorder.result({ definition: "s", case: "c", extra: "y".repeat(100_000), ...marks });
  expect(records[0]?.msg).toMatchObject(marks);
});

test("secrets are masked wherever they stand, and never break the record", () => {
  const key = "-----BEGIN KEY-----\nMIIEpAIBAAKCAQEA7x9\n-----END KEY-----";
  const { recorder, lines, records } = recording(["tops", "tops-secret", "results", key, "", " "]);
  recorder.info("it is tops-secret, tops and results");
  recorder.result({ definition: "s", case: "c", result: "pass", extra: { list: ["a tops b"] } });
  recorder.write("target", "MIIEpAIBAAKCAQEA7x9");
  expect(records[0]?.msg).toBe("it is [MASKED], [MASKED] and [MASKED]");
  expect(records[1]?.msg).toMatchObject({ extra: { list: ["a [MASKED] b"] } });
  expect(records[2]?.msg).toBe("[MASKED]");
  expect(lines.map((line) => (JSON.parse(line) as LogRecord).lvl)).toEqual([
    "info",
    "results",
    "target",
  ]);
});

test("a secret of fewer than four characters is none: a log of [MASKED] would tell nobody anything", () => {
  const { recorder, records } = recording(["abc", '"', "lvl"]);
  recorder.info('abc "lvl"');
  expect(records[0]?.msg).toBe('abc "lvl"');
});

test("nothing is written after the end", () => {
  const { recorder, lines } = recording();
  recorder.info("last");
  recorder.close();
  recorder.info("late");
  expect(lines).toHaveLength(1);
});
