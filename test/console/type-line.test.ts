import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { Console } from "../../worker/console/console.ts";
import { expectPrompt } from "../../worker/console/prompt.ts";
import { typeLine } from "../../worker/console/type-line.ts";
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

describe.skipIf(lacksForShells())("a line that is typed on a line that loses characters", () => {
  test.each(DUT_SHELLS)("is executed by %s whole and once", { timeout: 120_000 }, async (name) => {
    const dut = shellDut(folder, name);
    const transport = noisyTransport(await dut.open(), typicalNoise(11));
    const warnings: string[] = [];
    const console = new Console(transport, { log: () => 0 });
    open.push(console);
    const log = { warning: (text: string) => void warnings.push(text), debug: () => {} };
    const { signal } = new AbortController();
    const wait = { signal, log, timeoutSeconds: 60, nudges: true };
    await expectPrompt(console, prompts, wait);
    for (let n = 1; n <= LINES; n++) {
      const line = `echo line ${n} of those that are typed >> ran`;
      const typing = { discard: "ctrl-u", log, signal, prompts: [prompts.prompt] } as const;
      expect(await typeLine(console, line, typing)).toBe("checked");
      await expectPrompt(console, prompts, wait);
    }
    const ran = readFileSync(path.join(folder, "ran"), "utf8").trim().split("\n");
    expect(ran).toEqual(
      Array.from({ length: LINES }, (_, n) => `line ${n + 1} of those that are typed`),
    );
    expect(warnings.join("\n")).toContain("typing it again");
  });
});
