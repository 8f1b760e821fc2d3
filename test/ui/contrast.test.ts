import { readFileSync } from "node:fs";
import { expect, test } from "vitest";

/** As WCAG 2.2 defines it, of two colours `#rrggbb`: 1 to 21. */
function contrast(one: string, other: string): number {
  const [dark, light] = [luminance(one), luminance(other)].toSorted((a, b) => a - b);
  return (light! + 0.05) / (dark! + 0.05);
}

function luminance(colour: string): number {
  const [r, g, b] = [1, 3, 5].map((at) => {
    const part = Number.parseInt(colour.slice(at, at + 2), 16) / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r! + 0.7152 * g! + 0.0722 * b!;
}

const css = readFileSync("control-plane/ui/style/base.css", "utf8");
const colours = new Map(
  [...css.matchAll(/--([\w-]+): light-dark\((#[\da-f]{6}), (#[\da-f]{6})\);/g)].map(
    ([, name, light, dark]) => [name!, { light: light!, dark: dark! }],
  ),
);

const WORDS = ["fg", "muted", "accent", "good", "bad", "warn", "run", "input"];
const TERMINAL = Array.from({ length: 16 }, (_, n) => `c${n}`);
const PAIRS: [string, string, number][] = [
  ...WORDS.flatMap((word) =>
    ["bg", "panel"].map((ground): [string, string, number] => [word, ground, 4.5]),
  ),
  ...TERMINAL.map((colour): [string, string, number] => [colour, "panel", 4.5]),
  ...["good", "bad", "warn", "run"].flatMap((state): [string, string, number][] => [
    [state, `${state}-bg`, 4.5],
    ["fg", `${state}-bg`, 4.5],
    ["accent", `${state}-bg`, 4.5],
    ["muted", `${state}-bg`, 4.5],
  ]),
  ...["fg", "muted", "accent", "bad"].map((word): [string, string, number] => [
    word,
    "notice-bg",
    4.5,
  ]),
  ["fg", "mark", 4.5],
  ["on-accent", "accent", 4.5],
  // What is no text: the edges of fields, the focus ring.
  ...["bg", "panel"].map((ground): [string, string, number] => ["edge", ground, 3]),
  ["accent", "notice-bg", 3],
];

test.each(PAIRS)("%s on %s can be read, in both themes", (word, ground, least) => {
  for (const theme of ["light", "dark"] as const) {
    const [a, b] = [colours.get(word)?.[theme], colours.get(ground)?.[theme]];
    expect([theme, contrast(a!, b!) >= least], `${a} on ${b}`).toEqual([theme, true]);
  }
});
