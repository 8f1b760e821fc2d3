import { describe, expect, test } from "vitest";
import { kept as keptThings } from "../../control-plane/domain/kept.ts";

const keptTexts = (most: number) => keptThings<string>(most, (text) => text.length);

describe("texts that are kept", () => {
  test("are found again", () => {
    const kept = keptTexts(100);
    kept.keep("a: 1", "made of it");
    expect(kept.find("a: 1")).toBe("made of it");
    expect(kept.find("a: 2")).toBeUndefined();
  });

  test("make room for others when there are too many characters: those that nobody asked for longest", () => {
    const kept = keptTexts(40);
    kept.keep("one", "1".repeat(10));
    kept.keep("two", "2".repeat(10));
    kept.find("one");
    kept.keep("three", "3".repeat(10));
    expect(kept.find("two")).toBeUndefined();
    expect(kept.find("one")).toBe("1".repeat(10));
    expect(kept.find("three")).toBe("3".repeat(10));
  });

  test("are not kept when they alone are too long, and take no other's room", () => {
    const kept = keptTexts(40);
    kept.keep("one", "1");
    kept.keep("long", "2".repeat(40));
    expect(kept.find("long")).toBeUndefined();
    expect(kept.find("one")).toBe("1");
  });

  test("count once when the same is kept again", () => {
    const kept = keptTexts(40);
    kept.keep("one", "1".repeat(10));
    for (let n = 0; n < 10; n++) kept.keep("two", "2".repeat(10));
    expect(kept.find("one")).toBe("1".repeat(10));
  });
});
