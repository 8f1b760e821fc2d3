import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { root } from "../support/real-lab.ts";

const page = readFileSync(path.join(root, "docs/threat-model.md"), "utf8");
const named = [...page.matchAll(/^- `(test\/[^`]+)`: (.+)$/gm)].map(
  ([, file = "", title = ""]) => [file, title] as const,
);

/** Titles as they stand in the source, however the call is broken into lines. */
const titlesOf = (file: string): string[] => {
  const source = readFileSync(path.join(root, file), "utf8");
  return [...source.matchAll(/\(\s*"((?:[^"\\]|\\.)*)"\s*,/g)].map(([, title = ""]) => title);
};

describe("the threat model", () => {
  test.each(named)("%s has the test: %s", (file, title) => {
    expect(existsSync(path.join(root, file))).toBe(true);
    expect(titlesOf(file)).toContain(title);
  });

  test("names files of the sources that are there", () => {
    const files = [...page.matchAll(/`((?:worker|control-plane|scripts)\/[\w./-]+\.\w+)`/g)].map(
      ([, file = ""]) => file,
    );
    expect(files.length).toBeGreaterThan(30);
    expect(files.filter((file) => !existsSync(path.join(root, file)))).toEqual([]);
  });

  test("has a defence and a test for each threat", () => {
    const threats = page
      .split(/^#{2,3} /m)
      .slice(1)
      .filter((section) => /Defence:/.test(section) || /^- `test/m.test(section));
    expect(threats.length).toBeGreaterThan(15);
    for (const threat of threats) {
      const [title] = threat.split("\n");
      const has = [/Defence:\s+`/.test(threat), /^- `test\//m.test(threat)];
      expect([title, ...has]).toEqual([title, true, true]);
    }
  });
});
