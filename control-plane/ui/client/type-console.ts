import { ask, backOffMs, pause, Refusal } from "./console-api.ts";

/** Of a long paste; each goes after the one before has arrived. */
const MAX_PIECE_BYTES = 2048;

interface Typing {
  /** Sends bytes after all that were given before, in pieces, each once whatever the network does. */
  type(bytes: Uint8Array): void;
  /** Forgets what has not been sent. */
  stop(): void;
}

/** What a person types at a session, from the window that opened it. `onRefused`: it takes no more, and why. */
export function typeConsole(
  { id, writer }: { id: string; writer: string },
  on: { refused: (why: string) => void; trouble: (news?: string) => void },
): Typing {
  let waiting = new Uint8Array(0);
  let isSending = false;
  const stopped = new AbortController();
  const sendPiece = async (piece: Uint8Array): Promise<void> => {
    // The same call each time: the lab knows it again.
    const body = { writer, call: callId(), data: base64Of(piece) };
    for (let failures = 0; ;) {
      try {
        await ask("POST", `/consoles/${id}/input`, body, stopped.signal);
        if (failures > 0) on.trouble();
        return;
      } catch (error) {
        if (error instanceof Refusal || stopped.signal.aborted) throw error;
        failures += 1;
        on.trouble(`No answer from the lab; ${waiting.length} bytes that were typed wait`);
        await pause(backOffMs(failures), stopped.signal);
      }
    }
  };
  const send = async (): Promise<void> => {
    if (isSending) return;
    isSending = true;
    try {
      while (waiting.length > 0) {
        const piece = waiting.subarray(0, MAX_PIECE_BYTES);
        await sendPiece(piece);
        waiting = waiting.slice(piece.length);
      }
    } catch (error) {
      waiting = new Uint8Array(0);
      if (!stopped.signal.aborted) on.refused(error instanceof Error ? error.message : "");
    } finally {
      isSending = false;
    }
  };
  return {
    type(bytes) {
      if (stopped.signal.aborted) return;
      const all = new Uint8Array(waiting.length + bytes.length);
      all.set(waiting);
      all.set(bytes, waiting.length);
      waiting = all;
      void send();
    },
    stop: () => stopped.abort(),
  };
}

const base64Of = (bytes: Uint8Array): string =>
  btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));

/** `crypto.randomUUID` is only there over TLS. */
const callId = (): string =>
  Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) =>
    byte.toString(16).padStart(2, "0"),
  ).join("");
