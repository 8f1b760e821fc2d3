import { expect, test } from "vitest";
import { boundRegexCost } from "../../worker/console/bound-regex-cost.ts";

test("a pattern that would search for hours is answered, and still finds what is there", () => {
  boundRegexCost();
  expect(/(?<word>x+x+)+y/gs.exec(`${"x".repeat(60)}!`)).toBeNull();
  expect(/(?<word>x+x+)+y/gs.exec("xxxy")?.[0]).toBe("xxxy");
});
