import { expect, test } from "vitest";
import { logText } from "../../control-plane/cli/log-text.ts";
import type { Terminal } from "../../control-plane/cli/terminal.ts";
import { printable, printableLines } from "../../control-plane/cli/printable.ts";

const terminal = { width: 80, colours: false } as unknown as Terminal;

/** What a board may print to have a terminal do something. */
const HOSTILE: [what: string, text: string][] = [
  ["clears the screen", "\u001b[2J\u001b[H"],
  ["the same in one character", "\u009b2J"],
  ["sets the window's title", "\u001b]0;owned\u0007"],
  ["writes to the clipboard", "\u001b]52;c;b3duZWQ=\u001b\\"],
  ["makes a link", "\u001b]8;;http://evil.example\u0007text\u001b]8;;\u0007"],
  [
    "asks the terminal for an answer, which would be typed",
    "\u001b[6n\u001b[c\u001bP+q544e\u001b\\",
  ],
  ["goes back in its line", "safe\rrm -rf /\u0008\u0008"],
  ["is cut off in the middle", "\u001b[38;5"],
  ["never ends", `\u001b]0;${"x".repeat(100_000)}`],
  ["rings, deletes, is NUL", "\u0007\u007f\u0000\u000e"],
];

test.each(HOSTILE)("a board's line that %s does nothing to who reads the log", (_what, text) => {
  const dt = "2026-03-01T12:00:00.000000+00:00";
  for (const record of [
    { dt, lvl: "target", msg: text },
    { dt, lvl: text, msg: text },
    { dt: text, lvl: "feedback", ns: text, msg: "a" },
    { dt, lvl: "error", msg: { [text]: text } },
    { dt, lvl: "results", msg: { definition: text, case: text, result: "pass", units: text } },
  ]) {
    // oxlint-disable-next-line no-control-regex
    expect(logText(terminal, record)).not.toMatch(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/);
  }
});

test("what is left of such a line is its text", () => {
  expect(printable("\u001b[1mbold\u001b[0m\tand\u001b]0;title\u0007 more")).toBe("bold\tand more");
  expect(printableLines("one\r\n\u001b[2Jtwo")).toBe("one\ntwo");
});
