import { execFileSync, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import { afterEach, beforeEach, expect, test } from "vitest";
import { journalOk } from "../../../worker/actions/test/journal-lines.ts";
import { handshake, signal } from "../../../worker/overlay/scripts/journal.ts";
import { DUT_SHELLS, lacksForShells } from "../../beds/noisy/shell-dut.ts";

let folder: string;
beforeEach(() => void (folder = mkdtempSync(path.join(tmpdir(), "pumice-handshake-"))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const argvOf = (name: (typeof DUT_SHELLS)[number]): string[] =>
  name === "ash" ? ["busybox", "ash"] : [name];

test.skipIf(lacksForShells()).each(DUT_SHELLS)(
  "a journal that is taken away while %s waits for an answer keeps nobody waiting",
  async (name) => {
    const journal = path.join(folder, "journal-417");
    mkdirSync(journal);
    for (const claimed of ["1", "2"]) writeFileSync(path.join(journal, claimed), "");
    writeFileSync(path.join(journal, "next"), "100000003\n");
    const [shell = "", ...argv] = argvOf(name);
    const script = `${signal}${handshake}\nhandshake HOLDS\necho over\n`;
    const env = { ...process.env, LAVA_JOURNAL: journal };
    const dut = spawn(shell, [...argv, "-c", script], { env, stdio: ["pipe", "pipe", "ignore"] });
    const said: string[] = [];
    for await (const line of createInterface(dut.stdout)) {
      said.push(line);
      rmSync(journal, { recursive: true, force: true });
      const number = /^<LAVA_JOURNAL HOLDS> ~417\.(\d+)\./.exec(line)?.[1];
      // The first answer is on its way when the journal goes.
      if (number !== undefined && said.length > 1) {
        dut.stdin.write(`${journalOk("417", Number(number))}\n`);
      }
    }
    expect(said.at(-1)).toBe("over");
    expect(said[1]).toMatch(/^<LAVA_JOURNAL HOLDS> ~417\.0\./);
    expect(said.length).toBeLessThan(10);
  },
);

test.skipIf(lacksForShells()).each(DUT_SHELLS)(
  "of a long suite's journal %s keeps no more than the last three thousand claims",
  (name) => {
    const journal = path.join(folder, "journal-417");
    mkdirSync(journal);
    for (let n = 1; n < 3000; n++) writeFileSync(path.join(journal, String(n)), "");
    writeFileSync(path.join(journal, "next"), "100002999\n");
    const [shell = "", ...argv] = argvOf(name);
    const script = `set -e\n${signal}\nfor n in 1 2 3; do signal "<LAVA_SIGNAL_X $n>"; done`;
    const env = { ...process.env, LAVA_JOURNAL: journal };
    const said = execFileSync(shell, [...argv, "-c", script], { env, encoding: "utf8" });
    expect(said.match(/~417\.\d+/g)).toEqual(["~417.3000", "~417.3001", "~417.3002"]);
    const claims = readdirSync(journal).filter((file) => /^\d+$/.test(file));
    expect(claims.map(Number).toSorted((one, other) => one - other)).toEqual(
      Array.from({ length: 2002 }, (_, at) => at + 1001),
    );
    expect(readFileSync(path.join(journal, "next"), "utf8")).toBe("100003003\n");
  },
);
