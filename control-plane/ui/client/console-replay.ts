import type { ConsoleView } from "#protocol/consoles.ts";
import {
  asciicastLines,
  readInput,
  readOutput,
  type ConsoleEvent,
} from "../../console-recording.ts";
import { ask } from "./console-api.ts";
import type { ConsoleTerminal } from "./console-terminal.ts";

/** A device that says nothing is waited for no longer than this, as asciinema has it with `-i`. */
const MAX_IDLE_MS = 2000;
const FRAME_MS = 50;

interface Shown {
  /** Seconds of the recording, and whether it plays. */
  at: number;
  length: number;
  isPlaying: boolean;
}
export interface Replay {
  toggle(): void;
  /** Seconds from the begin. */
  seek(at: number): void;
  setSpeed(speed: number): void;
  stop(): void;
}

/** Plays a session's record into the terminal; long silences are short. `show` is told where it is. */
export async function replayConsole(
  session: ConsoleView,
  terminal: ConsoleTerminal,
  show: (shown: Shown) => void,
): Promise<Replay> {
  const events = withoutSilence(await outputOf(session));
  const length = events.at(-1)?.ms ?? 0;
  let at = 0;
  let played = 0;
  let speed = 1;
  let isPlaying = true;
  let writing: Promise<void> = Promise.resolve();
  const write = (bytes: Uint8Array): void => {
    writing = writing.then(() => terminal.write(bytes));
  };
  const tell = (): void => show({ at: at / 1000, length: length / 1000, isPlaying });
  const goTo = (ms: number): void => {
    if (ms < at) {
      terminal.reset();
      played = 0;
    }
    at = Math.min(length, ms);
    for (; played < events.length && events[played]!.ms <= at; played++) {
      write(events[played]!.bytes);
    }
    if (at >= length) isPlaying = false;
    tell();
  };
  terminal.reset();
  let last = performance.now();
  const timer = setInterval(() => {
    const now = performance.now();
    if (isPlaying) goTo(at + (now - last) * speed);
    last = now;
  }, FRAME_MS);
  goTo(0);
  return {
    toggle() {
      isPlaying = !isPlaying;
      if (isPlaying && at >= length) goTo(0);
      tell();
    },
    seek: (seconds) => goTo(seconds * 1000),
    setSpeed: (wanted) => void (speed = wanted),
    stop: () => clearInterval(timer),
  };
}

/** Gives the browser a session's record as an asciicast; with what was typed for who may know that. */
export async function downloadConsole(session: ConsoleView): Promise<void> {
  const events = await outputOf(session);
  try {
    for await (const event of readInput(askOf(session), session)) events.push(event);
  } catch {
    // It is the holder's, and of those who may change the device.
  }
  const text = `${asciicastLines(session, events).join("\n")}\n`;
  const url = URL.createObjectURL(new Blob([text], { type: "application/x-asciicast" }));
  const link = document.createElement("a");
  link.href = url;
  link.download = `${session.device}-${session.created.slice(0, 19).replaceAll(":", "")}.cast`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

async function outputOf(session: ConsoleView): Promise<ConsoleEvent[]> {
  const events: ConsoleEvent[] = [];
  for await (const event of readOutput(askOf(session), session)) events.push(event);
  return events;
}

const askOf =
  ({ id }: ConsoleView) =>
  <T>(path: string): Promise<T> =>
    ask<T>("GET", `/consoles/${id}${path}`);

function withoutSilence(events: readonly ConsoleEvent[]): ConsoleEvent[] {
  let left = 0;
  let before = 0;
  return events.map((event) => {
    left += Math.max(0, event.ms - before - MAX_IDLE_MS);
    before = event.ms;
    return { ...event, ms: event.ms - left };
  });
}
