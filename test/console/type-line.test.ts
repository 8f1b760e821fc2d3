import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { Console } from "../../worker/console/console.ts";
import { expectPrompt } from "../../worker/console/prompt.ts";
import { typeLine } from "../../worker/console/type-line.ts";
import { ptyTransport } from "../../worker/drivers/pty-transport.ts";
import { noisyTransport, typicalNoise } from "../beds/noisy/noisy-transport.ts";
import { DUT_PROMPT, DUT_SHELLS, lacksForShells, shellDut } from "../beds/noisy/shell-dut.ts";

let folder: string;
let open: Console[];
beforeEach(() => {
  open = [];
  folder = mkdtempSync(path.join(tmpdir(), "pumice-typing-"));
});
afterEach(async () => {
  for (const console of open) await console.close();
  rmSync(folder, { recursive: true, force: true });
});

const LINES = 100;
const prompts = { prompt: new RegExp(DUT_PROMPT, "g") };

/** Shells that show a line of more than a terminal's width in ways of their own. */
const WIDE = [
  ["bash", "vt220", ["bash", "--norc", "--noprofile", "-i"]],
  ["bash without a terminal it knows", "dumb", ["bash", "--norc", "--noprofile", "-i"]],
  ["busybox", "vt220", ["busybox", "ash", "-i"]],
  ["dash", "vt220", ["dash", "-i"]],
  ["mksh", "vt220", ["mksh", "-i"]],
] as const;

describe.skipIf(lacksForShells())("a line that is longer than the terminal", () => {
  test.each(WIDE)("is compared on %s (%s)", async (name, term, argv) => {
    if (name === "mksh" && !existsSync("/usr/bin/mksh")) return;
    const settle = `stty sane rows 24 cols 80; exec ${argv.join(" ")}`;
    const variables = [`PS1=${DUT_PROMPT}`, `TERM=${term}`, "PATH=/usr/bin:/bin", `HOME=${folder}`];
    const dut = await ptyTransport(["/usr/bin/env", "-i", ...variables, "sh", "-c", settle]);
    const warnings: string[] = [];
    const console = new Console(dut, { log: () => 0 });
    open.push(console);
    const log = { warning: (text: string) => void warnings.push(text), debug: () => {} };
    const { signal } = new AbortController();
    const wait = { signal, log, timeoutSeconds: 20 };
    await expectPrompt(console, prompts, wait);
    for (const length of [30, 61, 67, 68, 69, 70, 140, 400]) {
      const word = "123456789 ".repeat(40).slice(0, length);
      const line = `echo '${word}' >> ${folder}/wide`;
      const typing = { discard: "ctrl-u", log, signal, prompts: [prompts.prompt] } as const;
      expect([length, await typeLine(console, line, typing)]).toEqual([length, "checked"]);
      await expectPrompt(console, prompts, wait);
      const last = readFileSync(path.join(folder, "wide"), "utf8").split("\n").at(-2);
      expect(last).toBe(word);
    }
    // One that shows a part of a line is found out by its first long one.
    expect(warnings.length).toBeLessThanOrEqual(1);
  });
});

/** Types lines at a shell behind a noisy line; what it executed, and how often a line was typed again. */
async function typeInNoise(
  name: (typeof DUT_SHELLS)[number],
): Promise<{ ran: string[]; again: number }> {
  const own = path.join(folder, name);
  mkdirSync(own);
  const transport = noisyTransport(await shellDut(own, name).open(), typicalNoise(11));
  const console = new Console(transport, { log: () => 0 });
  open.push(console);
  let again = 0;
  const warning = (text: string): void => void (again += Number(text.includes("typing it again")));
  const { signal } = new AbortController();
  const wait = { signal, log: { warning, debug: () => {} }, timeoutSeconds: 60, nudges: true };
  for (let n = 1; n <= LINES; n++) {
    const typing = { ...wait, discard: "ctrl-u", prompts: [prompts.prompt] } as const;
    await typeLine(console, `echo ${lineOf(n)} >> ran`, typing);
    await expectPrompt(console, prompts, wait);
  }
  return { ran: readFileSync(path.join(own, "ran"), "utf8").trim().split("\n"), again };
}

const lineOf = (n: number): string => `line ${n} of those that are typed`;

test.skipIf(lacksForShells())(
  "300 lines on lines that lose characters are executed whole and once, whatever the shell",
  { timeout: 120_000 },
  async () => {
    const wanted = Array.from({ length: LINES }, (_, n) => lineOf(n + 1));
    for (const { ran, again } of await Promise.all(DUT_SHELLS.map(typeInNoise))) {
      expect(ran).toEqual(wanted);
      expect(again).toBeGreaterThan(0);
    }
  },
);
