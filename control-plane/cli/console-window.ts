import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { ConsoleOutput, OpenedConsole } from "#protocol/consoles.ts";
import { ClientError, type Client } from "./client.ts";
import type { Context } from "./command.ts";
import { ESCAPE_HELP, escapeKeys, type Escape } from "./escape-keys.ts";
import { printable } from "./printable.ts";

const HOLD_SECONDS = 20;
const MAX_TYPED_BYTES = 16 * 1024;
/** What was typed before `~.` may take so long to be sent. */
const LEAVE_MS = 2000;

/**
 * A window on a console: shows what the device says and sends what is typed, until `~.`, the end of the input (0), the session's
 * end or another window (1; 0 when its job goes on) or `context.signal` (130). The terminal is as it was afterwards, however this ends.
 */
export async function openWindow(
  context: Context,
  client: Client,
  session: OpenedConsole,
): Promise<number> {
  const leave = new AbortController();
  const signal = AbortSignal.any([context.signal, leave.signal]);
  let wake = (): void => {};
  let hasFailed = false;
  const stopTyping = type(
    context,
    client,
    session,
    (isRefused) => {
      hasFailed ||= isRefused;
      leave.abort();
    },
    () => wake(),
  );
  // Who has typed something waits for its echo.
  const pause = (ms: number): Promise<unknown> =>
    Promise.race([sleep(ms), new Promise<void>((resolve) => (wake = resolve))]);
  try {
    // What a device said as it was connected to is news in the first window only.
    const from = session.state === "starting" ? 0 : "end";
    const code = await showConsole(context, client, session.id, { from, signal, pause });
    if (context.signal.aborted) return 130;
    return hasFailed ? 1 : code;
  } finally {
    stopTyping();
  }
}

interface Watching {
  readonly from: 0 | "end";
  readonly signal: AbortSignal;
  /** Between questions that are not held back; milliseconds. */
  readonly pause?: (ms: number) => Promise<unknown>;
}

/** Writes what the device says as it is until the session ends (1; 0 as its job goes on) or `signal` is aborted (0). */
export async function showConsole(
  { terminal }: Context,
  client: Client,
  id: string,
  { from, signal, pause = sleep }: Watching,
): Promise<number> {
  let next: number | "end" = from;
  while (!signal.aborted) {
    const where = `/consoles/${id}/output?from=${next}&hold=${HOLD_SECONDS}`;
    const asked = client.json<ConsoleOutput>("GET", where, undefined, signal);
    const output = await Promise.race([asked, aborted(signal)]);
    if (!output) {
      asked.catch(() => {});
      return 0;
    }
    for (const { data } of output.pieces) process.stdout.write(Buffer.from(data, "base64"));
    next = output.next;
    if (output.state === "ended" && output.pieces.length === 0) {
      terminal.say(`\r\nthe console session has ended: ${printable(output.reason ?? "")}\r`);
      return output.reason === "the job goes on" ? 0 : 1;
    }
    if (output.poll_seconds !== undefined) {
      await Promise.race([pause(output.poll_seconds * 1000), aborted(signal)]);
    }
  }
  return 0;
}

const aborted = (signal: AbortSignal): Promise<undefined> =>
  new Promise((resolve) => {
    if (signal.aborted) return resolve(undefined);
    signal.addEventListener("abort", () => resolve(undefined), { once: true });
  });

/** Sends what is typed, in order, until `~.` or the end of the input; returns what gives the terminal back. */
function type(
  context: Context,
  client: Client,
  session: OpenedConsole,
  leave: (isRefused: boolean) => void,
  sent: () => void,
): () => void {
  const { stdin } = process;
  const { terminal } = context;
  const waiting: (Buffer | Escape)[] = [];
  let sending: Promise<void> | undefined;
  let isEnd = false;
  const keys = escapeKeys();
  const send = async (): Promise<void> => {
    for (let what = waiting.shift(); what !== undefined; what = waiting.shift()) {
      await sendOne(context, client, session, what);
      sent();
    }
  };
  const flush = (): void => {
    sending ??= send()
      .catch((error: unknown) => {
        terminal.say(`\r\n${error instanceof Error ? error.message : String(error)}\r`);
        leave(true);
      })
      .finally(() => {
        sending = undefined;
        if (waiting.length > 0) flush();
        else if (isEnd) leave(false);
      });
  };
  const end = (): void => {
    isEnd = true;
    flush();
  };
  const onData = (bytes: Buffer): void => {
    const { typed, escapes } = keys(bytes);
    for (let at = 0; at < typed.length; at += MAX_TYPED_BYTES) {
      waiting.push(typed.subarray(at, at + MAX_TYPED_BYTES));
    }
    waiting.push(...escapes.filter((escape) => escape !== "leave"));
    isEnd ||= escapes.includes("leave");
    if (isEnd) setTimeout(() => leave(false), LEAVE_MS).unref();
    flush();
  };
  // Also when something else ends this process.
  const giveBack = (): void => void (stdin.isTTY && stdin.setRawMode(false));
  process.on("exit", giveBack);
  if (stdin.isTTY) stdin.setRawMode(true);
  stdin.on("data", onData).on("end", end);
  return (): void => {
    stdin.off("data", onData).off("end", end);
    giveBack();
    process.off("exit", giveBack);
    stdin.pause();
  };
}

async function sendOne(
  { terminal }: Context,
  client: Client,
  { id, writer }: OpenedConsole,
  what: Buffer | Escape,
): Promise<void> {
  if (what === "help") return terminal.say(`\r\n${ESCAPE_HELP.join("\r\n")}\r`);
  if (what === "continue") {
    await client.json("POST", `/consoles/${id}/continue`).catch((error: unknown) => {
      if (!(error instanceof ClientError) || error.status !== 409) throw error;
      terminal.say(`\r\n${error.message}\r`);
    });
    return;
  }
  if (typeof what === "string") return;
  const call = randomUUID();
  const body = { writer, call, data: what.toString("base64") };
  // A network that is away for a while neither loses nor doubles anything.
  await client.json("POST", `/consoles/${id}/input`, body, undefined, call);
}
