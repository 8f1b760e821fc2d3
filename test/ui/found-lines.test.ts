import { describe, expect, test } from "vitest";
import { FoundLines } from "../../control-plane/ui/client/found-lines.ts";

/** As the searching script says it: line, place, length. */
const found = (...lines: number[]): Uint32Array =>
  Uint32Array.from(lines.flatMap((line) => [line, line % 7, 3]));
const linesOf = (lines: FoundLines): number[] =>
  Array.from({ length: lines.count }, (_, n) => lines.lineAt(n));

describe("lines that were found", () => {
  test("are counted once when a block has grown while it was searched", () => {
    const lines = new FoundLines();
    // The page knows of 5,000 lines; the block that was handed out has 6,144 already.
    lines.add(found(4100, 4990, 5000, 6000), 4096, 5000);
    expect(linesOf(lines)).toEqual([4100, 4990]);
    lines.add(found(4100, 4990, 5000, 6000), 5000, 6144);
    expect(linesOf(lines)).toEqual([4100, 4990, 5000, 6000]);
  });

  test("tell where the match is, and nothing of other lines", () => {
    const lines = new FoundLines();
    lines.add(Uint32Array.from([3, 10, 4, 900, 0, 1]), 0, 2048);
    expect(lines.matchIn(3)).toEqual({ start: 10, length: 4 });
    expect(lines.matchIn(900)).toEqual({ start: 0, length: 1 });
    expect(lines.matchIn(4)).toBeUndefined();
    expect(lines.matchIn(901)).toBeUndefined();
    expect(lines.placeOf(4)).toBe(1);
    lines.clear();
    expect(lines.matchIn(3)).toBeUndefined();
  });

  test("are as many as there are", () => {
    const lines = new FoundLines();
    for (let block = 0; block < 10; block++) {
      const all = Array.from({ length: 2048 }, (_, n) => block * 2048 + n);
      lines.add(found(...all), block * 2048, (block + 1) * 2048);
    }
    expect(lines.count).toBe(20_480);
    expect(lines.matchIn(20_479)).toEqual({ start: 20_479 % 7, length: 3 });
  });
});
