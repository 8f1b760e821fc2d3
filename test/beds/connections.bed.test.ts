import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createConnection } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { methodPage } from "../support/method-page.ts";
import { quickJob } from "../support/plain-board.ts";
import { runOnBed } from "../support/run-on-bed.ts";
import { BOARD, cannotStart, LINES, startConsole, type ConsoleBed } from "./console-server.ts";
import { makeGuest } from "./guest.ts";
import { startVirtualBoard, type VirtualBoard } from "./virtual-board.ts";

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
  const qemu = spawn("qemu-system-aarch64", `${BOARD} -display none -serial pty`.split(" "));
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

describe("what the pages show", () => {
  const closing: (() => Promise<void>)[] = [];
  afterEach(async () => {
    for (const close of closing.splice(0).reverse()) await close();
  });

  /** A PC that boots Linux by itself and asks for a login. */
  async function linuxBoard(): Promise<VirtualBoard> {
    const guest = await makeGuest(() => {}, "amd64");
    const board = await startVirtualBoard(folder, [
      "qemu-system-x86_64",
      ..."-accel tcg -m 256 -nodefaults -append".split(" "),
      "console=ttyS0 login",
      ..."-kernel vmlinuz -initrd initramfs.cpio.gz"
        .split(" ")
        .map((word) => (word.startsWith("-") ? word : path.join(guest, word))),
    ]);
    closing.push(() => board.close());
    return board;
  }

  const onBoard = (dictionary: string, board: VirtualBoard): string =>
    dictionary
      .replace("ser2net.example.com 7001", `127.0.0.1 ${board.consolePort}`)
      .replace(/pumice-power tasmota \S+ 1 cycle/, board.hardReset)
      .replace(/pumice-power tasmota \S+ 1 off/, board.powerOff);

  const passes = (results: readonly Record<string, unknown>[]): unknown[] =>
    results
      .filter(({ definition, result }) => /^\d_/.test(`${String(definition)}`) && result === "pass")
      .map(({ case: name }) => name);

  test("minimal boots a PC, logs in and talks to it", async () => {
    const page = methodPage("boot-minimal");
    const dictionary = onBoard(page.dictionary, await linuxBoard());
    const { outcome, results, text } = await runOnBed({ job: page.job, dictionary });
    expect(outcome, text).toMatchObject({ result: "pass" });
    expect(passes(results)).toEqual(["kernel", "root"]);
  });

  test.skipIf(cannotStart("tcp"))("new_connection talks to a controller beside it", async () => {
    bed = await startConsole(path.join(folder, "controller"), "tcp");
    const board = await linuxBoard();
    const page = methodPage("boot-new_connection");
    // On this board nobody presses the controller's button: it starts as its console is there.
    await promisify(execFile)("/bin/sh", ["-c", bed.hardReset]);
    const port = bed.connection.split(":").at(-1);
    const dictionary = onBoard(page.dictionary, board).replace(
      "ser2net.example.com 7002",
      `127.0.0.1 ${port}`,
    );
    const { outcome, results, records, text } = await runOnBed({ job: page.job, dictionary });
    expect(outcome, text).toMatchObject({ result: "pass" });
    expect(passes(results)).toEqual(["version"]);
    const banner = records.filter(({ msg }) => /\] Linux version \d/.test(String(msg)));
    expect(banner.map(({ lvl }) => lvl)).toEqual(["target"]);
    // What the board says while the job is busy with its controller.
    const others = records.filter(({ lvl }) => lvl === "feedback");
    for (const { ns } of others) expect(["linux", "controller"]).toContain(ns);
  });
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
