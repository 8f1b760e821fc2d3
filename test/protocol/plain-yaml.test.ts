import { existsSync, readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { plainYaml } from "#protocol/plain-yaml.ts";
import { readAnyYaml, readYaml } from "#protocol/read-yaml.ts";
import { stockTemplates } from "../../control-plane/stock-templates.ts";
import { renderDevice } from "../../control-plane/templates/render-device.ts";
import { fc } from "../support/property.ts";
import { root } from "../support/real-lab.ts";

/** For a longer look: `PUMICE_FUZZ_RUNS=100000 PUMICE_SEED=random`. */
const runs = Number(process.env["PUMICE_FUZZ_RUNS"] ?? 3000);
const minutes = 60_000;

const filesIn = (folder: string, ending: RegExp): string[] =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && ending.test(entry.name))
    .map((entry) => path.join(entry.parentPath, entry.name))
    .toSorted();
const textsIn = (folder: string, ending = /\.ya?ml$/): string[] =>
  filesIn(folder, ending).map((file) => readFileSync(file, "utf8"));

const jobs = path.resolve(root, "../shared/corpus/jobs");
const configurations = ["qemu", "juno", "docker", "beaglebone-black", "nrf52-nitrogen"].map(
  (type) =>
    renderDevice({
      name: "dut.jinja2",
      dictionary: `{% extends '${type}.jinja2' %}`,
      loader: stockTemplates(),
    }).text,
);
/** A few of those that devices are made of, and what people write. */
const texts = [
  ...["docs/examples", "device-templates/health-checks", "infra"].flatMap((folder) =>
    textsIn(path.join(root, folder)),
  ),
  ...textsIn(path.join(root, "test/fuzz/corpus/job"), /./),
  ...configurations,
];

/** Whether the text was taken for a plain one; then the two ways must come to the same. */
function isPlain(text: string): boolean {
  const value = plainYaml(text);
  if (value === undefined) return false;
  const read = readAnyYaml(text);
  expect([read.problems, read.warnings]).toEqual([[], []]);
  expect(value).toStrictEqual(read.value);
  // Keys in the same order.
  expect(JSON.stringify(value)).toBe(JSON.stringify(read.value));
  return true;
}

describe("what is read the short way is what the long way says", () => {
  test("of this repository's texts, of which most are plain", () => {
    const plain = texts.filter((text) => isPlain(text));
    console.log(`${plain.length} of ${texts.length} texts are plain`);
    expect(plain.length).toBeGreaterThan(texts.length * 0.8);
  });

  test.skipIf(!existsSync(jobs))(
    "of LAVA's own jobs (skipped when ../shared is absent: they are not part of this repository)",
    () => {
      const all = textsIn(jobs);
      const plain = all.filter((text) => isPlain(text));
      console.log(`${plain.length} of ${all.length} jobs are plain`);
      expect(plain.length).toBeGreaterThan(all.length * 0.7);
    },
  );

  test("of texts with faults of every kind", { timeout: 10 * minutes }, () => {
    let plain = 0;
    fc.assert(
      fc.property(mutated, (text) => {
        if (isPlain(text)) plain++;
      }),
      { numRuns: runs },
    );
    console.log(`${plain} of ${runs} texts with faults are plain`);
    expect(plain).toBeGreaterThan(runs / 20);
  });
});

const bits = [
  ...[" ", "  ", "\n", "\n\n", "\n ", "\n  ", "   ", ":", ": ", "- ", "-", "\n- ", "- - ", "- -\n"],
  ...[
    "#",
    " #",
    "\n#",
    "\n # x\n",
    "'",
    '"',
    "''",
    '""',
    "[",
    "]",
    "{",
    "}",
    ",",
    ", ",
    "[]",
    "{}",
  ],
  ...["|", ">", "|-\n", ">+\n", "|2", "\\", "\\\n", "\\n", "\\e", "\\x41", "?", "? ", "&a ", "*a"],
  ...["!", "!!str ", "=", "<<", "~", "null", "yes", "0x1F", "1:30", "1e3", ".5", "-0", "+", "."],
  ...["---\n", "...", "%", "@", "`", "a: b", "[a, b]", "{a: b}", "[a: b]", "{a}", "{a: }", "{: b}"],
  ...["\t", "é", "\r\n", "__proto__", "on: ", "5", ":a", "a:", "a", "b", "word", "://", "$", "<"],
];

const bit = fc.constantFrom(...bits);
const words = fc.array(bit, { maxLength: 14 }).map((parts) => parts.join(""));
/** Some lines of a real text, with bits put in or in place of what is there. */
const faulty = fc
  .tuple(
    fc.constantFrom(...texts.filter((text) => text.length < 4000)),
    fc.nat({ max: 100 }),
    fc.integer({ min: 2, max: 20 }),
    fc.array(fc.tuple(fc.nat({ max: 1000 }), fc.nat({ max: 3 }), bit), { maxLength: 4 }),
  )
  .map(([text, from, count, changes]) => {
    const lines = text.split("\n");
    const first = from % lines.length;
    return changes.reduce(
      (part, [place, gone, put]) => {
        const at = place % (part.length + 1);
        return part.slice(0, at) + put + part.slice(at + gone);
      },
      lines.slice(first, first + count).join("\n"),
    );
  });
const mutated = fc.oneof({ weight: 2, arbitrary: words }, { weight: 3, arbitrary: faulty });

test.each([
  ["nothing", ""],
  ["a word alone", "a\n"],
  ["an anchor", "a: &x 1\n"],
  ["an anchor at a mapping", "a: &x\n  b: 1\n"],
  ["a tag", "a: !!str 5\n"],
  ["a tag of its own", "a: ! 5\n"],
  ["a merge key", "<<: {a: 1}\n"],
  ["a key that means a number", "5: a\n"],
  ["a key that stands twice", "a: 1\nb:\n  c: 1\n  c: 2\n"],
  ["a list as a key", "{[a]: b}\n"],
  ["a list as a key without a value", "{a: b, [c]}\n"],
  ["a mapping as a key", "{{a: b}: c}\n"],
  ["no key", "a: {: b}\n"],
  ["a key of its own mark", "? a\n: b\n"],
  ["an endless key", `${"a".repeat(1025)}: b\n`],
  ["a comment right behind a quoted text", "a: 'x'#y\n"],
  ["a comment right behind a list", "a: [x]#y\n"],
  ["a comment right behind a colon", '{"a":#\n}\n'],
  ["a lone equals sign", "a: =\n"],
  ["an item of nothing", "- - -\n- a\n"],
  ["an anchor of a block of text that stands below it", "- &:\n |"],
  ["a block of text that begins with an empty line", "a: |\n  \n #"],
  ["a block of text that keeps its end", "a: |+\n x\n\n "],
  ["an escaped line break before an empty line", 'a: "\\\n\n "'],
  ["a document's mark", "---\na: b\n"],
  ["a tab", "a:\tb\n"],
  ["a line break of another system", "a: b\r\n"],
  ["a letter beyond ASCII", "a: é\n"],
  ["60 levels", "[".repeat(60) + "]".repeat(60)],
])("%s is not read the short way", (_, text) => {
  expect(plainYaml(text)).toBeUndefined();
});

test("a plain text's places and leaves are those that the long way knows", () => {
  const text = "a:\n  b: [1, yes]\n  c: |\n    x\n";
  expect(plainYaml(text)).toEqual({ a: { b: [1, true], c: "x\n" } });
  const [short, long] = [readYaml(text), readAnyYaml(text)];
  expect(short.leaves()).toEqual(long.leaves());
  expect(short.leaves()).toHaveLength(3);
  for (const place of [["a", "b", 1], ["a", "c"], ["a", "missing"], []]) {
    expect(short.locate(place)).toEqual(long.locate(place));
  }
});
