import { describe, expect, test } from "vitest";
import { FoundMatches } from "../../control-plane/ui/client/found-matches.ts";

/** As the searching script says it: line, place, length. */
const found = (...lines: number[]): Uint32Array =>
  Uint32Array.from(lines.flatMap((line) => [line, line % 7, 3]));
const linesOf = (lines: FoundMatches): number[] =>
  Array.from({ length: lines.count }, (_, n) => lines.lineAt(n));

describe("what was found", () => {
  test("are counted once when a block has grown while it was searched", () => {
    const lines = new FoundMatches();
    // The page knows of 5,000 lines; the block that was handed out has 6,144 already.
    lines.add(found(4100, 4990, 5000, 6000), 4096, 5000);
    expect(linesOf(lines)).toEqual([4100, 4990]);
    lines.add(found(4100, 4990, 5000, 6000), 5000, 6144);
    expect(linesOf(lines)).toEqual([4100, 4990, 5000, 6000]);
  });

  test("tell where the matches of a line are, and nothing of other lines", () => {
    const lines = new FoundMatches();
    lines.add(Uint32Array.from([3, 10, 4, 3, 20, 4, 900, 0, 1]), 0, 2048);
    const first = { line: 3, start: 10, length: 4 };
    expect(lines.matchesIn(3)).toEqual([first, { line: 3, start: 20, length: 4 }]);
    expect(lines.matchesIn(900)).toEqual([{ line: 900, start: 0, length: 1 }]);
    expect(lines.matchesIn(4)).toEqual([]);
    expect(lines.matchesIn(901)).toEqual([]);
    const places = [
      [3, 10],
      [3, 11],
      [3, 21],
      [4, 0],
      [901, 0],
    ] as const;
    expect(places.map(([line, start]) => lines.indexOf({ line, start }))).toEqual([0, 1, 2, 2, 3]);
    lines.clear();
    expect(lines.matchesIn(3)).toEqual([]);
  });

  test("are as many as there are", () => {
    const lines = new FoundMatches();
    for (let block = 0; block < 10; block++) {
      const all = Array.from({ length: 2048 }, (_, n) => block * 2048 + n);
      lines.add(found(...all), block * 2048, (block + 1) * 2048);
    }
    expect(lines.count).toBe(20_480);
    expect(lines.matchesIn(20_479)).toEqual([{ line: 20_479, start: 20_479 % 7, length: 3 }]);
  });
});
