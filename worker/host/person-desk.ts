import { once } from "node:events";
import { rmSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import path from "node:path";
import { jobDirectoryAt } from "./job-directory.ts";
import { readJsonLines, writeJsonLine } from "./json-lines.ts";
import { touchBeat } from "./runner-beat.ts";
import { shortSocketPath } from "./short-socket-path.ts";

/**
 * Where a person comes to the console of a job that waits: a Unix socket in the job's folder, to which the worker's agent
 * connects. Lines of JSON. Agent: `{holder}` first, then `{data}` (base64), `{go_on: true}`, `{leave: true}` when
 * the session is over. Runner: `{data}`, and `{end}` with the reason as its last.
 */
export interface Desk {
  /** What the DUT says, while a person is there. */
  say(bytes: Uint8Array): void;
  /** Nobody can come any more; who is there is told why. */
  close(reason: string): Promise<void>;
}

export interface DeskEvents {
  /** Somebody is there. */
  came(holder: string): void;
  typed(bytes: Uint8Array): void;
  /** The person wants the job to go on. */
  goesOn(): void;
  /** The person is not there any more, and has not said that the job goes on. */
  left(): void;
}

/** An agent that was killed comes back within this time, with the person. */
const AWAY_MS = 120_000;
/** Kept for an agent that is away or slow; what comes beyond it is left out. */
const MAX_KEPT_BYTES = 1024 * 1024;
const PIECE_BYTES = 32 * 1024;

/** Opens the desk. @throws what making the socket throws. */
export async function openDesk(file: string, events: DeskEvents): Promise<Desk> {
  let current: Socket | undefined;
  let isThere = false;
  let kept: Buffer = Buffer.alloc(0);
  let away: NodeJS.Timeout | undefined;
  const leave = (): void => {
    clearTimeout(away);
    if (!isThere) return;
    isThere = false;
    kept = Buffer.alloc(0);
    events.left();
  };
  const write = (socket: Socket, value: unknown): void =>
    void writeJsonLine(socket, value).catch(() => socket.destroy());
  const flush = (): void => {
    if (!current || current.writableLength > MAX_KEPT_BYTES) return;
    for (; kept.length > 0; kept = kept.subarray(PIECE_BYTES)) {
      write(current, { data: kept.subarray(0, PIECE_BYTES).toString("base64") });
    }
  };
  const take = (socket: Socket, message: unknown): void => {
    if (socket !== current || typeof message !== "object" || message === null) return;
    const { holder, data, go_on, leave: leaves } = message as Record<string, unknown>;
    if (typeof holder === "string") {
      clearTimeout(away);
      if (isThere) return flush();
      isThere = true;
      events.came(holder.slice(0, 200));
    }
    if (!isThere) return;
    if (typeof data === "string") events.typed(Buffer.from(data, "base64"));
    if (go_on === true) events.goesOn();
    if (leaves === true) leave();
  };
  const server = createServer((socket) => {
    // The agent of before is gone, or will be soon.
    current?.destroy();
    current = socket;
    socket.on("error", () => {});
    socket.on("drain", flush);
    socket.on("close", () => {
      if (current !== socket) return;
      current = undefined;
      if (isThere) away = setTimeout(leave, AWAY_MS);
    });
    readJsonLines(socket, (message) => take(socket, message));
  });
  await listen(server, file);
  const { beat } = jobDirectoryAt(path.dirname(file));
  touchBeat(beat);
  return {
    say(bytes) {
      if (!isThere) return;
      kept = Buffer.concat([kept, bytes]).subarray(0, MAX_KEPT_BYTES);
      flush();
    },
    async close(reason) {
      clearTimeout(away);
      isThere = false;
      rmSync(file, { force: true });
      touchBeat(beat);
      if (current) {
        write(current, { end: reason });
        current.end();
      }
      // Whoever does not hear it must not keep the job from its end.
      setTimeout(() => current?.destroy(), 1000).unref();
      server.close();
      await once(server, "close");
    },
  };
}

async function listen(server: ReturnType<typeof createServer>, file: string): Promise<void> {
  // A killed runner's.
  rmSync(file, { force: true });
  const { name, close } = shortSocketPath(file);
  try {
    server.listen(name);
    await once(server, "listening");
  } finally {
    close();
  }
}
