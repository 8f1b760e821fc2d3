import { expect, test } from "vitest";
import { exactDecimal, fixedDecimal } from "../../../control-plane/domain/results/decimal.ts";
import { fc } from "../../support/property.ts";

test.each([
  ["93.25", "93.25"],
  [93.25, "93.25"],
  ["12345678901234567.1234567891", "12345678901234567.1234567891"],
  ["1e3", "1000"],
  ["-2.50e-2", "-0.025"],
  [".5", "0.5"],
  ["5.", "5"],
  ["007", "7"],
  ["-0.0", "0"],
])("%s is exactly %s", (given, exact) => {
  expect(exactDecimal(given)).toBe(exact);
});

test.each(["", ".", "0x10", "12 s", "NaN", "Infinity", "1e400", "1".repeat(41)])(
  "%s is no decimal that is kept",
  (given) => {
    expect(exactDecimal(given)).toBeUndefined();
  },
);

test.each([
  ["93.25", "93.2500000000"],
  ["7", "7.0000000000"],
  ["-0.025", "-0.0250000000"],
  ["0.00000000005", "0.0000000000"],
  ["0.00000000015", "0.0000000002"],
  ["12345678901234567.1234567891", "12345678901234567.1234567891"],
])("LAVA exports %s as %s", (exact, fixed) => {
  expect(fixedDecimal(exact)).toBe(fixed);
});

test("any decimal stays what it is", () => {
  fc.assert(
    fc.property(fc.bigInt({ min: 1n, max: 10n ** 30n }), fc.nat(10), (digits, places) => {
      const text = digits.toString().padStart(places + 1, "0");
      const exact = exactDecimal(
        places === 0 ? text : `${text.slice(0, -places)}.${text.slice(-places)}`,
      )!;
      const [whole = "", fraction = ""] = exact.split(".");
      expect(BigInt(whole + fraction.padEnd(places, "0"))).toBe(digits);
    }),
  );
});
