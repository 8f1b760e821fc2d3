import { readFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { explanation, proposals } from "../../control-plane/ui/client/job-words.ts";
import { shellProposals } from "../../control-plane/ui/client/shell-words.ts";
import { yamlPlace } from "../../control-plane/ui/client/yaml-place.ts";
import { jobWords } from "../../scripts/job-words.ts";

const schema = readFileSync(
  path.resolve(import.meta.dirname, "../../docs/job.schema.json"),
  "utf8",
);
const words = jobWords(JSON.parse(schema) as Parameters<typeof jobWords>[0]);

/** The place of `^` in a text. */
function placeIn(text: string) {
  const before = text.slice(0, text.indexOf("^")).split("\n");
  const lines = text.replace("^", "").split("\n");
  return yamlPlace(lines, before.length - 1, before.at(-1)?.length ?? 0);
}
const pathIn = (text: string) =>
  placeIn(text)
    ?.path.slice(1)
    .map(({ isItem, key }) => (isItem ? "[]" : key))
    .join(".");
const proposed = (text: string) =>
  proposals(words, placeIn(text)?.path ?? []).map(({ label }) => label);

describe("where the cursor is", () => {
  test.each([
    ["^", ""],
    ["job_name: x\npri^", ""],
    ["timeouts:\n  job:\n    min^", "timeouts.job"],
    ["timeouts:\n  job: {minutes: 5}\n  ^", "timeouts"],
    ["timeouts:\n  job: {minutes: 5}\n^", ""],
    ["priority: h^", "priority"],
    ["timeouts: {job: {^", "timeouts.job"],
    ["timeouts: {job: {minutes: 5}, ac^", "timeouts"],
    ['context: {arch: "a b", ^', "context"],
    ["tags: [hdmi, ^", "tags.[]"],
    ["actions:\n- ^", "actions.[]"],
    ["actions:\n  - ^", "actions.[]"],
    ["actions:\n- deploy:\n    to: tm^", "actions.[].deploy.to"],
    ["actions:\n- deploy:\n    to: tmpfs\n- boot:\n    ^\n    method: qemu", "actions.[].boot"],
    [
      "actions:\n- test:\n    definitions:\n    - from: inline\n      na^",
      "actions.[].test.definitions.[]",
    ],
    ["# a comment\n\n'job_name': x # more\nfoo:\n\n  bar: ^", "foo.bar"],
  ])("%j", (text, expected) => expect(pathIn(text)).toBe(expected));

  test("is nowhere in a comment, in a block of text, or in a text that has been closed", () => {
    expect(placeIn("# dev^")).toBeUndefined();
    expect(placeIn("steps:\n- |\n  echo ^")).toBeUndefined();
    expect(placeIn("tags: [a] ^")).toBeUndefined();
  });
});

describe("what is proposed", () => {
  test("keys that are not there yet, with what they mean", () => {
    expect(proposed("job_name: x\n^")).toContain("timeouts");
    expect(proposed("job_name: x\n^")).not.toContain("job_name");
    const path = placeIn("^")?.path ?? [];
    const priority = proposals(words, path).find(({ label }) => label === "priority");
    expect(priority?.info).toMatch(/^high \(100\)/);
  });

  test("what the method has, wherever in the block that is said", () => {
    const before = proposed("actions:\n- deploy:\n    ^\n    to: tmpfs");
    expect(before).toContain("images");
    expect(before).not.toContain("nfsrootfs");
    expect(proposed("actions:\n- deploy:\n    to: nfs\n    ^")).toContain("nfsrootfs");
    expect(proposed("actions:\n- deploy: {to: ^")).toContain("tmpfs");
    expect(proposed("actions:\n- boot:\n    method: ^")).toContain("u-boot");
  });

  test("the parts of a test definition by where it comes from", () => {
    const of = (from: string) =>
      proposed(`actions:\n- test:\n    definitions:\n    - from: ${from}\n      ^`);
    expect(of("git")).toContain("branch");
    expect(of("inline")).not.toContain("branch");
    expect(proposed("actions:\n- test:\n    definitions:\n    - from: ^")).toEqual(
      expect.arrayContaining(["git", "url", "inline"]),
    );
  });

  test("nothing where the job may say what it likes", () => {
    expect(proposed("metadata:\n  ^")).toEqual([]);
    expect(proposed("nonsense:\n  __proto__:\n    ^")).toEqual([]);
  });

  test("the test shell's helpers in a step, and the options of the one that reports", () => {
    expect(shellProposals("").map(({ label }) => label)).toContain("lava-test-case");
    expect(shellProposals("lava-test-case boots ").map(({ label }) => label)).toContain("--result");
    expect(shellProposals("lava-test-case boots --result ").map(({ label }) => label)).toEqual([
      "pass",
      "fail",
      "skip",
      "unknown",
    ]);
    expect(shellProposals("echo ")).toEqual([]);
    const { path = [], prefix } = placeIn("steps:\n- lava-test-case a --res^") ?? {};
    expect([path.at(-1)?.isItem, prefix]).toEqual([true, "lava-test-case a "]);
  });
});

test("a key is explained", () => {
  const entry = { isItem: false, key: "retry_on", value: "", column: 0, children: [] };
  expect(explanation(words, [...(placeIn("^")?.path ?? []), entry])).toContain("infrastructure");
});

test("the table is a small part of the schema", () => {
  expect(JSON.stringify(words).length).toBeLessThan(schema.length / 6);
});
