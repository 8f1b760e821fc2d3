import { spawn } from "node:child_process";
import { performance } from "node:perf_hooks";
import { setTimeout as pause } from "node:timers/promises";
import { startSerialPair } from "../../test/support/serial-pair.ts";
import { workOf } from "./process-figures.ts";
import { configuration, runnerOf, typingJob, workerLab } from "./worker-lab.ts";
import type { Subject } from "./worker-subject.ts";

const BAUD = 115_200;
const GREETING_MS = 3000;
const LINE = `${"a line of a boot log as it comes over a serial line at its full speed".padEnd(74)}\n`;

/** Of what a runner and the agent use of a processor while a console never falls silent, in percent. */
export interface SerialLoad {
  readonly baud: number;
  readonly lines_per_second: number;
  readonly runner_cpu_percent: number;
  readonly agent_cpu_percent: number;
}

/** A job on a pseudo-terminal opened as a serial port, whose far side says as much as the line takes, byte by byte. */
export async function serialOf(subject: Subject, seconds: number): Promise<SerialLoad> {
  const dut = await startDut();
  const lab = await workerLab(subject, 0);
  try {
    await lab.api("PUT", "/devices/dut-01", {
      device_type: "talker",
      worker: "bench",
      configuration: configuration(`serial://${dut.path}?baud=${BAUD}`),
    });
    const id = await lab.submit(typingJob("talk"));
    const pids = [await runnerOf(lab, id), lab.agent.pid ?? 0];
    await dut.talks;
    await pause(3000);
    const [began, before, said] = [performance.now(), pids.map(workOf), dut.bytes()];
    await pause(seconds * 1000);
    const passed = (performance.now() - began) / 1000;
    const percent = pids.map(
      (pid, at) => ((workOf(pid).cpuSeconds - (before[at]?.cpuSeconds ?? 0)) / passed) * 100,
    );
    const lines = (dut.bytes() - said) / LINE.length;
    await lab.api("POST", `/jobs/${id}/cancel`, {});
    await lab.finished(id);
    const [runner_cpu_percent = NaN, agent_cpu_percent = NaN] = percent;
    return { baud: BAUD, lines_per_second: lines / passed, runner_cpu_percent, agent_cpu_percent };
  } finally {
    await lab.close();
    await dut.close();
  }
}

interface SerialDut {
  readonly path: string;
  /** Resolves when it was told to talk. */
  readonly talks: Promise<void>;
  readonly bytes: () => number;
  close(): Promise<void>;
}

async function startDut(): Promise<SerialDut> {
  const pair = await startSerialPair();
  const said = spawn("sh", ["-c", 'exec cat >"$0"', pair.dut], {
    stdio: ["pipe", "ignore", "ignore"],
  });
  const typing = spawn("cat", [pair.dut], { stdio: ["ignore", "pipe", "ignore"] });
  said.stdin.on("error", () => {});
  let bytes = 0;
  let timer: NodeJS.Timeout | undefined;
  const talks = new Promise<void>((resolve) => {
    let typed = "";
    typing.stdout.on("data", (text: Buffer) => {
      typed += text.toString();
      if (!typed.includes("talk\n") || timer) return;
      const began = performance.now();
      // A bit more than eleven bytes each millisecond, as a UART hands them on.
      timer = setInterval(() => {
        const due = Math.floor(((performance.now() - began) * BAUD) / 10_000);
        let piece = "";
        while (bytes < due) piece += LINE[bytes++ % LINE.length];
        said.stdin.write(piece);
      }, 1);
      resolve();
    });
  });
  // Whoever opens a port throws away what it was told before. Rarely, for the last prompt must not stand for the answer's end.
  const greeting = setInterval(() => said.stdin.write("Linux version 6.12\ndut# "), GREETING_MS);
  void talks.then(() => clearInterval(greeting));
  return {
    path: pair.lab,
    talks,
    bytes: () => bytes,
    close: async () => {
      clearInterval(timer);
      clearInterval(greeting);
      for (const child of [said, typing]) child.kill("SIGKILL");
      await pair.close();
    },
  };
}
