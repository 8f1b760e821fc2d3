import { describe, expect, test } from "vitest";
import { SeenText } from "../../worker/console/seen-text.ts";
import { fc } from "../support/property.ts";

describe("what was seen of a DUT", () => {
  test("is found once, and what stood in its line before it is known", () => {
    const seen = new SeenText();
    seen.add("one\n+ echo <S");
    expect(seen.find(/<S \d>/g)).toBeUndefined();
    seen.add(" 1>\nroot# ");
    const found = seen.find(/<S \d>/g);
    expect(found?.match[0]).toBe("<S 1>");
    expect(seen.lineBefore(found?.start ?? 0)).toBe("+ echo ");
    seen.consume(found?.end ?? 0);
    expect(seen.find(/<S \d>/g)).toBeUndefined();
    expect(seen.find(/root# /g)?.match[0]).toBe("root# ");
  });

  test("is found whole however it was cut into pieces, each once and in order", () => {
    const pieces = fc.array(
      fc.oneof(
        fc.integer({ min: 0, max: 99 }).map((n) => `<S ${n}>\n`),
        fc.string({ maxLength: 20 }).map((text) => text.replaceAll("<", "")),
      ),
      { maxLength: 60 },
    );
    fc.assert(
      fc.property(pieces, fc.array(fc.integer({ min: 1, max: 40 })), (parts, cuts) => {
        const whole = parts.join("");
        const wanted = [...whole.matchAll(/<S (\d+)>/g)].map(([text]) => text);
        const seen = new SeenText();
        const got: string[] = [];
        const look = (): void => {
          for (let found = seen.find(/<S (\d+)>/g); found; found = seen.find(/<S (\d+)>/g)) {
            // A second pattern, never found, must not disturb the first.
            expect(seen.find(/never there/g)).toBeUndefined();
            got.push(found.match[0]);
            seen.consume(found.end);
          }
        };
        let at = 0;
        for (let n = 0; at < whole.length; n++) {
          const length = cuts[n % Math.max(1, cuts.length)] ?? 7;
          seen.add(whole.slice(at, at + length));
          at += length;
          look();
        }
        expect(got).toEqual(wanted);
      }),
    );
  });

  test("is found by a pattern that is asked for only long after", () => {
    const seen = new SeenText();
    seen.add("early prompt# ");
    for (let n = 0; n < 2000; n++) {
      seen.add(`line ${n} of something else\n`);
      expect(seen.find(/never there/g)).toBeUndefined();
    }
    const found = seen.find(/prompt# /g);
    expect(found?.start).toBe(6);
    expect(seen.before(found?.start ?? 0)).toBe("early ");
    seen.consume(found?.end ?? 0);
    expect(seen.find(/line 1999 of.*\n/g)?.match[0]).toBe("line 1999 of something else\n");
  });

  test("has its beginning only at its beginning, also where it is searched in pieces", () => {
    const seen = new SeenText();
    seen.add("x".repeat(100_000));
    expect(seen.find(/^x+$/g)?.end).toBe(100_000);
    seen.consume(10);
    seen.add("end");
    expect(seen.find(/^end/g)).toBeUndefined();
    expect(seen.find(/xend$/g)?.start).toBe(99_999);
    const long = new SeenText();
    long.add(`${"a".repeat(99_999)} ${"b".repeat(100_000)}!`);
    expect(long.find(/\bb/g)?.start).toBe(100_000);
  });

  test("is found in a line only when that has ended, where that is wanted", () => {
    const seen = new SeenText();
    const result = /^(\w+): (\w+)( \S+)?$/gm;
    const inLine = { inLine: true };
    seen.add("noise\none: pa");
    expect(seen.find(result, inLine)).toBeUndefined();
    seen.add("ss 2");
    expect(seen.find(result, inLine)).toBeUndefined();
    seen.add(".5\r\nnext");
    expect(seen.find(result, inLine)?.match[0]).toBe("one: pass 2.5");
  });

  test("that nobody waits for does not grow without end", () => {
    const seen = new SeenText();
    for (let n = 0; n < 100; n++) seen.add("x".repeat(100_000));
    expect(seen.tail(Infinity).length).toBeLessThanOrEqual(1024 * 1024);
    seen.add("<S 1>");
    expect(seen.find(/<S \d>/g)?.match[0]).toBe("<S 1>");
  });
});
