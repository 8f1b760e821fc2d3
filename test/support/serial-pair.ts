import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";

/** Two pseudo-terminals joined as by a null-modem cable: what is written to one is read from the other. */
export interface SerialPair {
  /** Paths of devices. */
  readonly dut: string;
  readonly lab: string;
  close(): Promise<void>;
}

/** Starts socat(1) as the cable. */
export async function startSerialPair(): Promise<SerialPair> {
  const socat = spawn("socat", ["-d", "-d", "PTY,raw,echo=0", "PTY,raw,echo=0"], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  const exited = once(socat, "exit");
  const paths: string[] = [];
  for await (const line of createInterface(socat.stderr)) {
    const pty = /PTY is (\S+)/.exec(line)?.[1];
    if (pty) paths.push(pty);
    if (line.includes("starting data transfer loop")) break;
  }
  socat.stderr.resume();
  const [dut, lab] = paths;
  if (!dut || !lab) throw new Error("socat made no pair of pseudo-terminals");
  return {
    dut,
    lab,
    close: async () => {
      socat.kill("SIGKILL");
      await exited;
    },
  };
}
