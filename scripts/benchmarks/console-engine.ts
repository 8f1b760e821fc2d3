import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import type { LogLevel } from "#protocol/log-record.ts";
import { Console } from "../../worker/console/console.ts";
import { literalRegex, pythonRegex } from "../../worker/console/python-regex.ts";
import type { Transport } from "../../worker/console/transport.ts";
import { kernelReportsOf } from "../../worker/kernel/console-kernel.ts";
import { openSpool } from "../../worker/host/spool.ts";
import { makeRecorder } from "../../worker/pipeline/recorder.ts";
import { ENGINE_TEXTS } from "./console-engine-texts.ts";
import type { Row } from "./main.ts";

const MB = 1e6;
/** What a pipe or a socket delivers at once when there is a backlog, and what a terminal does. */
const PIPE_BYTES = 64 * 1024;
const TERMINAL_BYTES = 4096;

export interface EngineSpeed {
  /** By the clock, on whatever else this machine does meanwhile. */
  readonly mb_per_second: number;
  readonly lines_per_second: number;
  /** By the processor time of this process, all of its threads. */
  readonly mb_per_cpu_second: number;
  readonly lines_per_cpu_second: number;
  readonly peak_rss_mb: number;
}

export interface EngineLoad {
  /** One of `ENGINE_TEXTS`. */
  readonly text?: string;
  readonly megabytes?: number;
  readonly chunkBytes?: number;
  /** Into a real log file too: time, JSON, secrets and disk. */
  readonly logged?: boolean;
  /** With the kernel listened to, as of each console in a job. */
  readonly heard?: boolean;
}

/**
 * Reads as fast as it can what a DUT says, with twenty patterns armed as while a board boots and runs tests; none of
 * the lines is lost on the way to the log.
 */
export async function engineSpeed(load: EngineLoad = {}): Promise<EngineSpeed> {
  const { text = "boot log, lines of 250", megabytes = 200, chunkBytes = PIPE_BYTES } = load;
  const make = ENGINE_TEXTS[text];
  if (!make) throw new Error(`no such text: ${text}`);
  const bytes = make();
  const log = load.logged ? loggedToFile() : counted();
  const dut = scriptedDut();
  const console = new Console(dut.transport, { log: log.write, logLines: log.writeLines });
  if (load.heard) kernelReportsOf(console);
  const stop = new AbortController();
  const waiting = waitForAll(console, stop.signal);
  await feed(dut.say, bytes, chunkBytes, Math.min(megabytes, 20) * MB);
  const before = { lines: log.lines(), cpu: process.cpuUsage(), at: performance.now() };
  const fed = await feed(dut.say, bytes, chunkBytes, megabytes * MB);
  const cpu = process.cpuUsage(before.cpu);
  const seconds = (performance.now() - before.at) / 1000;
  const logged = log.lines() - before.lines;
  stop.abort(new Error("all was read"));
  await waiting;
  log.close();
  const cpuSeconds = (cpu.user + cpu.system) / 1e6;
  return {
    mb_per_second: fed.bytes / MB / seconds,
    lines_per_second: logged / seconds,
    mb_per_cpu_second: fed.bytes / MB / cpuSeconds,
    lines_per_cpu_second: logged / cpuSeconds,
    peak_rss_mb: fed.peakRss / MB,
  };
}

/** `scripts/bench console-engine`: each text by itself; a value a run. */
export async function measureConsoleEngine({ runs }: { runs: number }): Promise<Row[]> {
  const loads: [string, EngineLoad][] = [
    ...Object.keys(ENGINE_TEXTS).map((text): [string, EngineLoad] => [text, { text }]),
    ["the first, as a terminal gives it (4 KiB)", { chunkBytes: TERMINAL_BYTES }],
    ["the first, the kernel listened to", { heard: true }],
    ["the first, that and into a log file", { heard: true, logged: true, megabytes: 100 }],
    [
      "lines of 40, that and into a log file",
      { text: "boot log, lines of 40", heard: true, logged: true, megabytes: 50 },
    ],
  ];
  const rows: Row[] = [];
  for (const [name, load] of loads) {
    const speeds: EngineSpeed[] = [];
    for (let n = 0; n < runs; n++) speeds.push(await engineSpeed(load));
    const row = (unit: Row["unit"], of: (speed: EngineSpeed) => number): void =>
      void rows.push({ name, unit, values: speeds.map(of) });
    row("MB/s", (speed) => speed.mb_per_second);
    row("lines/s", (speed) => speed.lines_per_second);
    row("lines/CPU s", (speed) => speed.lines_per_cpu_second);
    row("MB", (speed) => speed.peak_rss_mb);
  }
  return rows;
}

/** As `KernelWatch` and the test shell have them: what a kernel in trouble prints, prompts, signals, a loader's errors. */
function twentyPatterns(): Record<string, RegExp> {
  const fixed = {
    trace: /-\[ cut here \]/g,
    fault: /Unhandled fault/g,
    kcsan: /BUG: KCSAN:/g,
    kasan: /BUG: KASAN:/g,
    kfence: /BUG: KFENCE:/g,
    oops: /Oops(?: -|:)/g,
    warning: /WARNING:/g,
    bug: /(?:kernel BUG at|BUG:)/g,
    opcode: /invalid opcode:/g,
    panic: /Kernel panic - not syncing/g,
    reset: /U-Boot SPL 20[0-9][0-9]/g,
    signal: /<LAVA_SIGNAL_([^\s<>]+) ((?:[^<>]|<(?!LAVA_))+)>(?!')/g,
    exit: literalRegex("<LAVA_TEST_RUNNER EXIT>"),
    incorrect: literalRegex("Login incorrect"),
  };
  const ofFiles = {
    "prompt 0": String.raw`root@(.*):[/~]# `,
    "prompt 1": String.raw`/ # `,
    "prompt 2": String.raw`\(initramfs\)`,
    login: String.raw`(?:debian|localhost) login:`,
    "error 0": String.raw`ERROR: can't get kernel image!`,
    failure: String.raw`VFS: (?:Cannot|Unable to) (?:open|mount) root`,
  };
  const python = Object.entries(ofFiles).map(([name, source]) => [name, pythonRegex(source)]);
  return { ...fixed, ...(Object.fromEntries(python) as Record<string, RegExp>) };
}

async function waitForAll(console: Console, signal: AbortSignal): Promise<void> {
  const patterns = twentyPatterns();
  try {
    for (;;) await console.expect<string>(patterns, { timeoutSeconds: 600, signal });
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

/** Says the text again and again; a piece a turn, as sockets do. */
async function feed(
  say: (bytes: Uint8Array) => void,
  text: Buffer,
  chunkBytes: number,
  atLeast: number,
): Promise<{ bytes: number; peakRss: number }> {
  let bytes = 0;
  let peakRss = 0;
  while (bytes < atLeast) {
    for (let at = 0; at < text.length; at += chunkBytes) {
      say(text.subarray(at, at + chunkBytes));
      await nextTurn();
    }
    peakRss = Math.max(peakRss, process.memoryUsage.rss());
    bytes += text.length;
  }
  return { bytes, peakRss };
}

function scriptedDut(): { transport: Transport; say: (bytes: Uint8Array) => void } {
  let say = (_bytes: Uint8Array): void => {};
  return {
    transport: {
      onData: (listener) => (say = listener),
      onEnd: () => {},
      write: async () => {},
      close: async () => {},
    },
    say: (bytes) => say(bytes),
  };
}

interface CountedLog {
  readonly write: (level: LogLevel, text: string) => number;
  readonly writeLines: (lines: readonly string[]) => readonly number[];
  readonly lines: () => number;
  readonly close: () => void;
}

function counted(): CountedLog {
  let count = 0;
  return {
    write: () => count++,
    writeLines: (lines) => lines.map(() => count++),
    lines: () => count,
    close: () => {},
  };
}

function loggedToFile(): CountedLog {
  const folder = mkdtempSync(path.join(tmpdir(), "pumice-bench-"));
  const spool = openSpool(path.join(folder, "log"));
  const sink = (line: string): void => void spool.append(line);
  const recorder = makeRecorder({ sink, secrets: ["a-token-of-a-job", "-----KEY-----"] });
  return {
    write: (level, text) => recorder.write(level, text),
    writeLines: (lines) => recorder.writeLines("target", lines),
    lines: () => recorder.lines,
    close: () => {
      void spool.close();
      rmSync(folder, { recursive: true });
    },
  };
}
