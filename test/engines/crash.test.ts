import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openEngine } from "../../control-plane/engines/embedded/engine.ts";

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(path.join(tmpdir(), "pumice-crash-"));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

/** What a second process was told while the first one was writing. */
const refusals: string[] = [];
const refusalOf = (attempt: () => unknown): string => {
  try {
    attempt();
    return "";
  } catch (error) {
    return String(error);
  }
};
const open = () => openEngine(dir, { now: Date.now });

/** Lets another process write until it has answered for `count` numbers, then kills it; gives those numbers. */
async function writeAndKill(count: number): Promise<number[]> {
  const program = path.resolve(import.meta.dirname, "../support/endless-writer.ts");
  const child = spawn(process.execPath, ["--no-warnings", program, dir], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const exit = once(child, "exit");
  const answered: number[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    answered.push(Number(line));
    if (answered.length === count) {
      refusals.push(refusalOf(open));
      child.kill("SIGKILL");
    }
  }
  expect(await exit).toEqual([null, "SIGKILL"]);
  return answered;
}

test("a killed process loses nothing that it answered for, leaves nothing half done and no lock", async () => {
  const answered = [...(await writeAndKill(20)), ...(await writeAndKill(35))];
  expect(refusals).toMatchObject([/in use/, /in use/].map((text) => expect.stringMatching(text)));
  const engine = open();
  try {
    for (const n of answered) {
      expect(await engine.blobs.sizeBytes(`numbers/${n}`)).toBe(String(n).length);
    }
    const last = await engine.table.counter("n");
    expect(last).toBeGreaterThan(Math.max(...answered));
    for (let n = 1; n < last; n++) {
      const { items } = await engine.table.query("main", `n#${n}`);
      expect(answered.includes(n) ? [2] : [0, 2]).toContain(items.length);
    }
  } finally {
    engine.close();
  }
});

test("a folder is open once, and again when it was closed", () => {
  const first = open();
  expect(open).toThrow(/in use by another control plane/);
  first.close();
  open().close();
});
