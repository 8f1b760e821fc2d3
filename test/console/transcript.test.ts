import { expect, test } from "vitest";
import { Transcript } from "../../worker/console/transcript.ts";

function transcribe(...pieces: string[]): string[] {
  const lines: string[] = [];
  const transcript = new Transcript((some) => some.map((line) => lines.push(line) - 1));
  for (const piece of pieces) transcript.add(piece);
  transcript.flush();
  return lines;
}

test("lines end with any of a DUT's line ends, however the text is cut", () => {
  expect(transcribe("a\r", "\r\nb\r\nc\nd\re")).toEqual(["a", "b", "c", "d\re"]);
});

test("only the ESC of a control sequence is left out", () => {
  expect(transcribe("\u001b[1;32mok\u001b[0m\u0007\n")).toEqual(["[1;32mok[0m\u0007"]);
});

test("who listens to lines hears them as a person reads them", () => {
  const plain: string[] = [];
  const transcript = new Transcript((_, some) => some.map((line) => plain.push(line) - 1));
  const said = "---[\u001b]0;title\u0007 end\u0000 Kernel\u001b[1m panic\ufffd\r\nand\r\n\u001b[0";
  for (const piece of [...said.split(/(?<=.)/s), "mso on\tthen\n"]) transcript.add(piece);
  expect(plain).toEqual(["---[ end Kernel panic", "and", "so on\tthen"]);
});

test("a line that never ends is logged in pieces that fit a record, and nothing of it is lost", () => {
  const noise = "\u0000".repeat(100_000);
  const lines = transcribe(noise.slice(0, 70_000), noise.slice(70_000));
  expect(lines.join("")).toBe(noise);
  for (const line of lines) expect(JSON.stringify(line).length).toBeLessThan(100_000);
});

test("a character's place in the text leads to its line in the log", () => {
  const transcript = new Transcript((lines) => lines.map((line) => Number(line) * 10));
  transcript.add("1\n2\n3");
  expect([0, 1, 2, 3, 4].map((offset) => transcript.lineAt(offset))).toEqual([
    10,
    10,
    20,
    20,
    undefined,
  ]);
  transcript.forget(2);
  expect(transcript.lineAt(2)).toBe(20);
});

test("lines that come together are logged together, each with a number of its own", () => {
  const logged: (readonly string[])[] = [];
  const transcript = new Transcript((lines) => {
    logged.push(lines);
    return lines.map((_, n) => 7 + n);
  });
  transcript.add("no end yet");
  transcript.add(", but now\r\n\nthe third\nand");
  transcript.flush();
  expect(logged).toEqual([["no end yet, but now", "", "the third"], ["and"]]);
  expect([0, 20, 21, 22].map((offset) => transcript.lineAt(offset))).toEqual([7, 7, 8, 9]);
});
