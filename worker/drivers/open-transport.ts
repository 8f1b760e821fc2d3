import type { Transport } from "../console/transport.ts";
import { JobFailure } from "../pipeline/job-failure.ts";
import { describeTarget, type Target } from "./connection-command.ts";
import { ptyTransport } from "./pty-transport.ts";
import { serialTransport } from "./serial-transport.ts";
import { tcpTransport } from "./tcp-transport.ts";

/** A console server that is busy says so and hangs up within this time; one that isn't may be silent for ever. */
const SETTLE_MS = 100;
/** A program may need this long to find out that it can't connect; once it says anything, it knows. */
const PROGRAM_MS = 1000;
/** A DUT is not that brief: who says more than this is one. */
const SETTLE_BYTES = 4096;
/** Who refuses says so in whole lines: a shell's prompt, or the wish to log in, is a DUT's. */
const PROMPT = /(?:[\w)\]~/:][#$]|\blogin:) ?(?:\x1b\[\d*\w)*$/;
const PROMPT_CHARS = 80;

/**
 * Opens a connection and makes sure that it stays open, so that a port that is in use is not taken for a DUT. How the
 * connection ends, and why it can't be opened, is told with its name. `environment`: of a program that is the connection.
 *
 * @throws JobFailure Infrastructure when it can't be opened; the signal's reason when aborted.
 */
export async function openTransport(
  name: string,
  target: Target,
  signal: AbortSignal,
  environment: NodeJS.ProcessEnv = process.env,
): Promise<Transport> {
  const label = `${name} (${describeTarget(target)})`;
  let transport: Transport;
  try {
    transport = await open(target, signal, environment);
  } catch (cause) {
    signal.throwIfAborted();
    const message = cause instanceof Error ? cause.message : String(cause);
    throw new JobFailure("Infrastructure", `connection ${label} ${message}`, { cause });
  }
  return settled(transport, label, target.kind === "program" ? PROGRAM_MS : SETTLE_MS);
}

function open(
  target: Target,
  signal: AbortSignal,
  environment: NodeJS.ProcessEnv,
): Promise<Transport> {
  switch (target.kind) {
    case "tcp":
    case "telnet":
      return tcpTransport(target, signal);
    case "serial":
      return serialTransport(target);
    case "program":
      return ptyTransport(target.argv, environment);
  }
}

/**
 * The same transport, once it has stayed open: for `silentMs`, or for a moment after its first byte, or until it shows a
 * prompt. What it says meanwhile is kept.
 */
async function settled(transport: Transport, label: string, silentMs: number): Promise<Transport> {
  let early: Uint8Array[] = [];
  let size = 0;
  let tail = "";
  let settle: () => void = () => {};
  const moment = new Promise<undefined>((resolve) => (settle = () => resolve(undefined)));
  let timer = setTimeout(settle, silentMs);
  let listener = (bytes: Uint8Array): void => {
    if (size === 0) {
      clearTimeout(timer);
      timer = setTimeout(settle, SETTLE_MS);
    }
    early.push(bytes);
    size += bytes.length;
    tail = (tail + Buffer.from(bytes).toString("latin1")).slice(-PROMPT_CHARS);
    if (size > SETTLE_BYTES || PROMPT.test(tail)) settle();
  };
  const ended = new Promise<string>((resolve) => {
    transport.onEnd((why) => resolve(`connection ${label} ${why}`));
  });
  transport.onData((bytes) => listener(bytes));
  const why = await Promise.race([ended, moment]);
  clearTimeout(timer);
  if (why !== undefined) {
    const said = Buffer.concat(early).toString("utf8").trim().slice(-200);
    throw new JobFailure("Infrastructure", said ? `${why} and said: ${said}` : why);
  }
  return {
    ...transport,
    onData: (newListener) => {
      listener = newListener;
      for (const bytes of early) listener(bytes);
      early = [];
    },
    onEnd: (onEnd) => void ended.then(onEnd),
  };
}
