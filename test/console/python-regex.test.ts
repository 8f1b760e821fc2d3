import { expect, test } from "vitest";
import { pythonRegex } from "../../worker/console/python-regex.ts";

test.each([
  [
    String.raw`(?P<test_case_id>case-\w+):\s+(?P<result>pass|fail)`,
    "case-a: pass",
    { test_case_id: "case-a", result: "pass" },
  ],
  [String.raw`(?P<q>['"])x(?P=q)`, "'x'", { q: "'" }],
  [String.raw`(?i)LOGIN:`, "login:", {}],
  [String.raw`\Alogin`, "login", {}],
  [String.raw`root@(.*):[/~]# `, "root@dut:/# ", {}],
  [String.raw`\(\?P<literal>`, "(?P<literal>", {}],
  [String.raw`root[]>]# `, "root]# ", {}],
  [String.raw`<[^]]+]>`, "<a b]>", {}],
  [String.raw`[(?P<x>]{,2}!`, "P<!", {}],
  [String.raw`\[(?P<in>\w)\]`, "[x]", { in: "x" }],
])("Python's %s finds what it finds there", (source, text, groups) => {
  const match = pythonRegex(source).exec(text);
  expect(match?.[0]).toBeDefined();
  expect({ ...match?.groups }).toEqual(groups);
});

test("a prompt's dot matches a newline, a result pattern's does not", () => {
  expect(pythonRegex("a.b").test("a\nb")).toBe(true);
  expect(pythonRegex("a.b", "parse").test("a\nb")).toBe(false);
  expect(pythonRegex("^b$", "parse").test("a\nb\r\nc")).toBe(true);
});

test("what is no regular expression is the test's fault, and is named", () => {
  expect(() => pythonRegex("(unclosed")).toThrow(/Invalid regular expression "\(unclosed"/);
});
