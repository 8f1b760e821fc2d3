import { spawn } from "node:child_process";
import { once } from "node:events";
import type { Transport } from "../console/transport.ts";
import { hostEnvironment } from "../host/spawn.ts";
import { requireTool } from "../host/tool.ts";
import { bunPty, hasBunPty } from "./bun-pty.ts";
import { GRACE_MS, hangUp, inRawTerminal } from "./pty-session.ts";

/** Ends the first thing that comes: the number of the process on the terminal. */
const READY = 1;

/**
 * Starts a program of the host on a pseudo-terminal of its own: what it shows there is a DUT's console. The terminal
 * is raw and echoes nothing, as a serial line: what is typed reaches the program byte for byte, Ctrl-C too.
 * Closing hangs up, as when a window is closed.
 *
 * @throws JobFailure Infrastructure when there is no such program.
 */
export async function ptyTransport(
  argv: readonly [string, ...string[]],
  environment: NodeJS.ProcessEnv = process.env,
): Promise<Transport> {
  requireTool(argv[0]);
  return hasBunPty() ? bunPty(argv, environment) : scriptPty(argv, environment);
}

/** Node.js has no pseudo-terminals, but every Debian has script(1). */
async function scriptPty(
  argv: readonly [string, ...string[]],
  environment: NodeJS.ProcessEnv,
): Promise<Transport> {
  requireTool("script");
  const command = inRawTerminal(argv, "printf '%s\\001' $$");
  const child = spawn("script", ["-qefc", command, "/dev/null"], {
    env: hostEnvironment({ SHELL: "/bin/sh", TERM: environment["TERM"] ?? "dumb" }, environment),
    stdio: ["pipe", "pipe", "inherit"],
  });
  const ended = new Promise<string>((resolve) => {
    child.on("close", (code) =>
      resolve(`ended with ${code === null ? "its terminal" : `exit code ${code}`}`),
    );
    child.on("error", ({ message }) => resolve(message));
  });
  child.stdin.on("error", () => {});
  const { leader, rest } = await firstWords(child.stdout, ended);
  return {
    onData: (listener) => {
      if (rest.length > 0) listener(rest);
      child.stdout.on("data", listener);
    },
    onEnd: (listener) => void ended.then(listener),
    write: async (bytes) => {
      if (!child.stdin.writable) throw new Error(`${argv[0]} has ended`);
      if (!child.stdin.write(bytes)) await Promise.race([once(child.stdin, "drain"), ended]);
    },
    close: async () => {
      if (leader > 0 && child.exitCode === null) hangUp(leader, "SIGHUP");
      const kill = setTimeout(() => {
        if (leader > 0) hangUp(leader, "SIGKILL");
        // Its end hangs up the terminal of whatever is left.
        child.kill("SIGKILL");
      }, GRACE_MS);
      // What nobody listens to any more must not keep it from ending.
      child.stdout.resume();
      await ended;
      clearTimeout(kill);
    },
  };
}

/** The number of the process that leads the terminal's session (0: it ended before), and what came behind it. */
async function firstWords(
  stdout: NodeJS.ReadableStream,
  ended: Promise<unknown>,
): Promise<{ leader: number; rest: Buffer }> {
  let isOver = false;
  void ended.then(() => (isOver = true));
  let seen = Buffer.alloc(0);
  while (!isOver && !seen.includes(READY)) {
    const chunk = stdout.read() as Buffer | null;
    if (chunk) seen = Buffer.concat([seen, chunk]);
    else await Promise.race([once(stdout, "readable"), ended]);
  }
  stdout.removeAllListeners("readable");
  const at = seen.indexOf(READY);
  if (at < 0) return { leader: 0, rest: seen };
  return { leader: Number(seen.subarray(0, at).toString()), rest: seen.subarray(at + 1) };
}
