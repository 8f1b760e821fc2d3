import type { Transport } from "../console/transport.ts";
import { hostEnvironment } from "../host/spawn.ts";
import { COLUMNS, GRACE_MS, hangUp, inRawTerminal, ROWS } from "./pty-session.ts";

/** The same once we have closed it: of what tests left in the background nobody waits for last words. */
const CLOSING_GRACE_MS = 50;

/** What we use of Bun's pseudo-terminals; its types would replace those of Node.js. */
interface BunTerminal {
  write(bytes: Uint8Array): number;
  close(): void;
}
interface BunRuntime {
  Terminal?: unknown;
  spawn(
    argv: readonly string[],
    options: {
      env: Record<string, string>;
      terminal: {
        cols: number;
        rows: number;
        data: (terminal: BunTerminal, bytes: Uint8Array) => void;
        exit: () => void;
      };
    },
  ): {
    readonly pid: number;
    readonly terminal: BunTerminal;
    readonly exited: Promise<number>;
    readonly exitCode: number | null;
    readonly signalCode: string | null;
  };
}

const runtime = (globalThis as { Bun?: BunRuntime }).Bun;

/** Whether this program runs on a Bun that has pseudo-terminals. */
export const hasBunPty = (): boolean => runtime?.Terminal !== undefined;

/** As `ptyTransport`, by Bun's own means. The program must exist. */
export async function bunPty(
  argv: readonly [string, ...string[]],
  environment: NodeJS.ProcessEnv,
): Promise<Transport> {
  if (!runtime) throw new Error("this is not Bun");
  let listener: ((bytes: Uint8Array) => void) | undefined;
  const early: Uint8Array[] = [];
  let fallSilent: () => void = () => {};
  const silent = new Promise<void>((resolve) => (fallSilent = resolve));
  const child = runtime.spawn(["/bin/sh", "-c", inRawTerminal(argv)], {
    env: hostEnvironment({ TERM: environment["TERM"] ?? "dumb" }, environment),
    terminal: {
      cols: COLUMNS,
      rows: ROWS,
      // Bun may use the memory of the bytes again.
      data: (_, bytes) => (listener ? listener(bytes) : early.push(Uint8Array.from(bytes))),
      exit: () => fallSilent(),
    },
  });
  const hasEnded = (): boolean => child.exitCode !== null || child.signalCode !== null;
  let isClosing = false;
  const ended = child.exited.then(async (code) => {
    // Something it started may hold the terminal open.
    const grace = setTimeout(fallSilent, isClosing ? CLOSING_GRACE_MS : GRACE_MS);
    await silent;
    clearTimeout(grace);
    child.terminal.close();
    return `ended with exit code ${code}`;
  });
  return {
    onData: (newListener) => {
      listener = newListener;
      for (const bytes of early.splice(0)) listener(bytes);
    },
    onEnd: (onEnd) => void ended.then(onEnd),
    write: async (bytes) => {
      if (hasEnded()) throw new Error(`${argv[0]} has ended`);
      child.terminal.write(bytes);
    },
    close: async () => {
      isClosing = true;
      if (!hasEnded()) hangUp(child.pid, "SIGHUP");
      const kill = setTimeout(() => hangUp(child.pid, "SIGKILL"), GRACE_MS);
      await ended;
      clearTimeout(kill);
    },
  };
}
