import type { ConsoleInputs, ConsoleOutput, ConsoleView } from "#protocol/consoles.ts";

/** What happened at a console: its device said something (`o`), or somebody typed (`i`). */
export interface ConsoleEvent {
  /** Since the session's begin. */
  ms: number;
  kind: "o" | "i";
  bytes: Uint8Array;
}

/** Asks the API below `/consoles/ID`, for a JSON answer. */
export type AskConsole = <T>(path: string) => Promise<T>;

/** All that a device has said in a session, in order; what it says from now on is not waited for. */
export async function* readOutput(
  ask: AskConsole,
  session: Pick<ConsoleView, "created">,
): AsyncGenerator<ConsoleEvent> {
  for (let from = 0; ;) {
    const page = await ask<ConsoleOutput>(`/output?from=${from}`);
    for (const { time, data } of page.pieces) yield eventOf(session, "o", time, data);
    if (page.pieces.length === 0) return;
    from = page.next;
  }
}

/** All that was typed. The API shows it to the holder and whoever may change the device. */
export async function* readInput(
  ask: AskConsole,
  session: Pick<ConsoleView, "created">,
): AsyncGenerator<ConsoleEvent> {
  for (let from = 0; ;) {
    const page = await ask<ConsoleInputs>(`/input?from=${from}`);
    for (const { time, data } of page.inputs) {
      if (data !== undefined) yield eventOf(session, "i", time, data);
    }
    if (page.inputs.length === 0) return;
    from = page.next;
  }
}

/**
 * The lines of an asciicast v2 (docs.asciinema.org). A character that comes in two pieces stands whole in the second.
 * 80 by 24: what programs on a serial line take its terminal for.
 */
export function asciicastLines(session: ConsoleView, events: readonly ConsoleEvent[]): string[] {
  const decoders = { o: new TextDecoder(), i: new TextDecoder() };
  const lines = events
    .toSorted((a, b) => a.ms - b.ms)
    .flatMap(({ ms, kind, bytes }) => {
      const text = decoders[kind].decode(bytes, { stream: true });
      return text === "" ? [] : [JSON.stringify([ms / 1000, kind, text])];
    });
  const title = `console of ${session.device}, ${session.holder}`;
  const timestamp = Math.floor(Date.parse(session.created) / 1000);
  return [JSON.stringify({ version: 2, width: 80, height: 24, timestamp, title }), ...lines];
}

/** Works in browsers, too. */
export const bytesOfBase64 = (text: string): Uint8Array<ArrayBuffer> =>
  Uint8Array.from(atob(text), (char) => char.charCodeAt(0));

function eventOf(
  { created }: Pick<ConsoleView, "created">,
  kind: ConsoleEvent["kind"],
  time: string,
  data: string,
): ConsoleEvent {
  const ms = Math.max(0, Date.parse(time) - Date.parse(created));
  return { ms, kind, bytes: bytesOfBase64(data) };
}
