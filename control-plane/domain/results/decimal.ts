/** LAVA keeps measurements as decimals of this many places (SCHEDULER.md 8). */
const LAVA_PLACES = 10;
/** What we keep is longer than what anything measures. */
const MOST_PLACES = 40;
const MOST_DIGITS = 40;

/**
 * A measurement as exact decimal text, without zeros at its end: `93.25`, `-0.0000000001`. What was text is never made a
 * floating-point number on the way. Undefined for what is no decimal, or has more than 40 digits before the point.
 */
export function exactDecimal(value: string | number): string | undefined {
  const [, sign = "", whole = "", fraction = "", exponent = "0"] =
    /^\s*([+-]?)(\d{0,100})\.?(\d{0,100})(?:[eE]([+-]?\d{1,3}))?\s*$/.exec(String(value)) ?? [];
  if (whole + fraction === "") return undefined;
  const shift = Number(exponent) - fraction.length;
  const text = scaled(BigInt(whole + fraction), shift, MOST_PLACES);
  if (text.length > MOST_DIGITS + MOST_PLACES) return undefined;
  const places = text.slice(-MOST_PLACES).replace(/0+$/, "");
  const exact = text.slice(0, -MOST_PLACES) + (places === "" ? "" : `.${places}`);
  return sign === "-" && exact !== "0" ? `-${exact}` : exact;
}

/** The same with ten places, as LAVA exports it (SCHEDULER.md 9): `93.2500000000`. */
export function fixedDecimal(exact: string): string {
  const isNegative = exact.startsWith("-");
  const [whole = "", fraction = ""] = exact.replace("-", "").split(".");
  const text = scaled(BigInt(whole + fraction), -fraction.length, LAVA_PLACES);
  return `${isNegative ? "-" : ""}${text.slice(0, -LAVA_PLACES)}.${text.slice(-LAVA_PLACES)}`;
}

/** `digits` times ten to the `shift`, as text whose last `places` digits stand behind the point. */
function scaled(digits: bigint, shift: number, places: number): string {
  const by = 10n ** BigInt(Math.abs(shift + places));
  const number = shift + places >= 0 ? digits * by : halfEven(digits, by);
  return number.toString().padStart(places + 1, "0");
}

/** As Python's decimals are rounded. */
function halfEven(number: bigint, by: bigint): bigint {
  const whole = number / by;
  const twice = (number % by) * 2n;
  const isUp = twice > by || (twice === by && whole % 2n === 1n);
  return isUp ? whole + 1n : whole;
}
