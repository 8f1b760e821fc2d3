import { expect, test } from "vitest";
import { holesOf, verdict } from "../../scripts/audit-main.ts";

const hole = { id: "GHSA-aaaa-bbbb-cccc", name: "left", severity: "high", title: "it does" };
const exception = { id: hole.id, package: "left", until: "2026-06-30", why: "not used so" };

test("a hole that nobody has looked at fails, an exception counts until its day", () => {
  const of = (exceptions: (typeof exception)[], today = "2026-06-30") =>
    verdict({ holes: [hole] }, exceptions, today).problems;
  expect(of([])).toEqual(["left: high: it does (GHSA-aaaa-bbbb-cccc)"]);
  expect(of([exception])).toEqual([]);
  expect(of([{ ...exception, package: "other" }])).toHaveLength(1);
  expect(of([exception], "2026-07-01")).toEqual([
    expect.stringContaining("was good until 2026-06-30"),
    "left: high: it does (GHSA-aaaa-bbbb-cccc)",
  ]);
});

test("what is not grave is told, and so is an exception that is needed no more", () => {
  const holes = [{ ...hole, severity: "moderate" }];
  const unneeded = { ...exception, id: "GHSA-0000-0000-0000" };
  const { problems, notes } = verdict({ holes }, [unneeded], "2026-01-01");
  expect(problems).toEqual([]);
  expect(notes).toEqual([
    expect.stringContaining("moderate"),
    expect.stringContaining("needed no more"),
  ]);
});

test("a registry that says nothing is no failure, and its reason is told; an exception that is over still is one", () => {
  const of = (today: string) => verdict({ why: "no answer" }, [exception], today);
  expect(of("2026-01-01")).toEqual({
    problems: [],
    notes: ["skipped: known holes were not looked up: no answer"],
  });
  expect(of("2026-07-01").problems).toHaveLength(1);
});

test("npm's report is read: each hole once, by its advisory; an answer that is none says why", () => {
  const via = { source: 1, name: "left", url: "https://github.com/advisories/GHSA-aaaa-bbbb-cccc" };
  const text = JSON.stringify({
    vulnerabilities: {
      left: { via: [{ ...via, severity: "high", title: "it does" }] },
      right: { via: ["left"] },
      other: { via: [{ ...via, severity: "high", title: "it does" }] },
    },
  });
  expect(holesOf(text)).toEqual({ holes: [hole] });
  expect(holesOf('{"error": {"summary": "no"}}')).toEqual({ why: "no" });
  expect(holesOf("<html>")).toEqual({ why: 'npm audit said "<html>"' });
});
