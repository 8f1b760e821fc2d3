import { expect, test } from "vitest";
import type { ConsoleOutput, ConsoleView } from "#protocol/consoles.ts";
import {
  asciicastLines,
  bytesOfBase64,
  readOutput,
  type ConsoleEvent,
} from "../control-plane/console-recording.ts";

const session: ConsoleView = {
  ...{ id: "1", device: "board-01", worker: "bench", holder: "ada", state: "ended" },
  ...{ created: "2026-03-01T12:00:00.000Z", until: "2026-03-01T13:00:00.000Z" },
};
const event = (ms: number, kind: "o" | "i", bytes: Uint8Array): ConsoleEvent => ({
  ms,
  kind,
  bytes,
});

test("a character that came in two pieces stands whole in the record, in the second", () => {
  const bytes = new TextEncoder().encode("aé!");
  const lines = asciicastLines(session, [
    event(1000, "o", bytes.subarray(0, 2)),
    event(2000, "o", bytes.subarray(2)),
  ]);
  expect(lines.slice(1).map((line) => JSON.parse(line))).toEqual([
    [1, "o", "a"],
    [2, "o", "é!"],
  ]);
  expect(JSON.parse(lines[0]!)).toEqual({
    ...{ version: 2, width: 80, height: 24, timestamp: 1_772_366_400 },
    title: "console of board-01, ada",
  });
});

test("what was typed stands between what the device said, by time", () => {
  const text = (value: string) => new TextEncoder().encode(value);
  const lines = asciicastLines(session, [
    event(1, "o", text("login: ")),
    event(30, "o", text("root")),
    event(20, "i", text("root")),
  ]);
  expect(lines.slice(1).map((line) => (JSON.parse(line) as unknown[])[1])).toEqual(["o", "i", "o"]);
});

test("a record is read page by page to its end", async () => {
  const said = ["one", "two"];
  const asked: string[] = [];
  const ask = async <T>(path: string): Promise<T> => {
    asked.push(path);
    const from = Number(/from=(\d+)/.exec(path)?.[1]);
    const piece = said[from / 3];
    const pieces =
      piece === undefined
        ? []
        : [{ from, time: "2026-03-01T12:00:05.000Z", data: Buffer.from(piece).toString("base64") }];
    const output: ConsoleOutput = { pieces, next: from + 3 * pieces.length, state: "ended" };
    return output as T;
  };
  const events: ConsoleEvent[] = [];
  for await (const one of readOutput(ask, session)) events.push(one);
  expect(events.map(({ ms, bytes }) => [ms, Buffer.from(bytes).toString()])).toEqual([
    [5000, "one"],
    [5000, "two"],
  ]);
  expect(asked).toHaveLength(3);
});

test("bytes that are no text go through as they are", () => {
  expect([...bytesOfBase64("/wCA")]).toEqual([0xff, 0, 0x80]);
});
