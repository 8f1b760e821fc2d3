import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createConnection } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { quickJob } from "../support/plain-board.ts";
import { runOnBed } from "../support/run-on-bed.ts";
import { cannotStart, LINES, startConsole, type ConsoleBed } from "./console-server.ts";

let folder: string;
let bed: ConsoleBed | undefined;
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), "pumice-line-"));
});
afterEach(async () => {
  await bed?.close();
  bed = undefined;
  rmSync(folder, { recursive: true, force: true });
});

/** Resets the board, waits for U-Boot's prompt and talks to it. */
const job = quickJob(`
- boot: {method: minimal, prompts: ['=> '], parameters: {kernel-start-message: ''}, timeout: {seconds: 60}}
- test:
    timeout: {seconds: 30}
    interactive:
    - name: uboot
      prompts: ['=> ']
      script:
      - {name: version, command: version, successes: [{message: 'U-Boot 20'}]}
      - {name: long, command: 'echo ${"0123456789".repeat(20)}', successes: [{message: '\\n${"0123456789".repeat(20)}'}]}`);

const verdicts = (results: readonly Record<string, unknown>[]): unknown[] =>
  results
    .filter(({ definition }) => definition === "0_uboot")
    .map(({ case: name, result }) => [name, result]);

describe.each(LINES)("a board whose line is reached by %s", (line) => {
  const problem = cannotStart(line);
  if (problem) console.warn(`skipped: ${problem}`);

  test.skipIf(problem)("is reset, boots and answers", async () => {
    bed = await startConsole(folder, line);
    const { outcome, results, text } = await runOnBed({ job, dictionary: bed.dictionary });
    expect(outcome, text).toMatchObject({ result: "pass" });
    expect(verdicts(results), text).toEqual([
      ["version", "pass"],
      ["long", "pass"],
    ]);
    // Each line once, and whole.
    expect(text.match(/^target U-Boot 20.*$/gm), text).toHaveLength(2);
  });
});

const noSer2net = cannotStart("ser2net");

test.skipIf(noSer2net)("a line that somebody else uses is waited for", async () => {
  bed = await startConsole(folder, "ser2net");
  const port = Number(bed.connection.split(" ").at(-1));
  const somebody = await untilOpen(port);
  const { outcome, text } = await runOnBed({
    job,
    dictionary: bed.dictionary,
    onRecord: ({ msg }) => {
      if (String(msg).includes("Port already in use")) somebody.destroy();
    },
  });
  expect(outcome, text).toMatchObject({ result: "pass" });
  expect(text).toMatch(
    /warning connection serial \(telnet localhost:\d+\) was closed by the far side and said: Port already in use; trying again/,
  );
});

test("a board on a pseudo-terminal of QEMU is a serial port", async () => {
  const qemu = spawn("qemu-system-aarch64", [
    ...["-accel", "tcg", "-M", "virt", "-cpu", "cortex-a53", "-m", "256", "-nodefaults"],
    ...["-display", "none", "-bios", "/usr/lib/u-boot/qemu_arm64/u-boot.bin", "-serial", "pty"],
  ]);
  const exited = once(qemu, "exit");
  try {
    let device = "";
    for await (const line of createInterface(qemu.stdout)) {
      device = /redirected to (\S+)/.exec(line)?.[1] ?? "";
      if (device !== "") break;
    }
    const { outcome, results, text } = await runOnBed({
      job: job.replace("minimal,", "minimal, reset: false,"),
      dictionary: `{% extends 'base-uboot.jinja2' %}
{% set connection_command = 'serial://${device}?baud=921600' %}
`,
    });
    expect(outcome, text).toMatchObject({ result: "pass" });
    expect(verdicts(results), text).toEqual([
      ["version", "pass"],
      ["long", "pass"],
    ]);
  } finally {
    qemu.kill("SIGKILL");
    await exited;
  }
});

/** A client of the console server; it may still be starting. */
async function untilOpen(port: number): Promise<ReturnType<typeof createConnection>> {
  for (;;) {
    const socket = createConnection(port, "127.0.0.1");
    socket.on("error", () => {});
    const greeted = await Promise.race([
      once(socket, "data").then(() => true),
      once(socket, "close").then(() => false),
    ]).catch(() => false);
    if (greeted) return socket;
  }
}
