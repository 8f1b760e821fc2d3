import { spawn } from "node:child_process";
import { once } from "node:events";
import type { Transport } from "../console/transport.ts";
import { watchKiller } from "../host/killer.ts";
import { hostEnvironment } from "../host/spawn.ts";
import { JobFailure } from "../pipeline/job-failure.ts";

/** How long a program may take to end when it is asked to, before it is killed. */
const GRACE_MS = 1000;

/**
 * Starts a program whose standard input and output are a DUT's console; what it says on standard error is
 * part of that. It stays in this process's group, so that it ends with it.
 *
 * @throws JobFailure Infrastructure when there is no such program.
 */
export async function processTransport(
  argv: readonly [string, ...string[]],
  options: { cwd?: string; env?: Readonly<Record<string, string>>; name?: string } = {},
): Promise<Transport & { readonly pid: number }> {
  const [program, ...args] = argv;
  const killer = watchKiller();
  let isClosing = false;
  const child = spawn(program, args, {
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    env: options.env ?? hostEnvironment(),
    stdio: ["pipe", "pipe", "pipe"],
  });
  child.on("exit", () => {
    // Something it started may hold its output open; what it said until now is enough.
    setTimeout(() => {
      child.stdout.destroy();
      child.stderr.destroy();
    }, GRACE_MS).unref();
  });
  const exited = new Promise<string>((resolve) => {
    child.on("close", (code, signal) => {
      const killed = signal === "SIGKILL" && !isClosing ? `: it was killed, ${killer()}` : "";
      resolve(
        `${options.name ?? program} ended with ${signal === null ? `exit code ${code}` : signal}${killed}`,
      );
    });
  });
  await new Promise<void>((resolve, reject) => {
    child.once("spawn", resolve);
    child.once("error", (cause: NodeJS.ErrnoException) => {
      const missing = cause.code === "ENOENT" || cause.code === "EACCES";
      const message = missing ? `Cannot find command '${program}' in $PATH` : cause.message;
      reject(new JobFailure("Infrastructure", message, { cause }));
    });
  });
  // A program that ended is noticed by its exit, not by what could not be written to it.
  child.stdin.on("error", () => {});
  child.on("error", () => {});
  return {
    pid: child.pid ?? 0,
    onData: (listener) => {
      child.stdout.on("data", listener);
      child.stderr.on("data", listener);
    },
    onEnd: (listener) => void exited.then(listener),
    write: async (bytes) => {
      if (!child.stdin.writable) throw new Error(`${program} has ended`);
      if (!child.stdin.write(bytes)) await Promise.race([once(child.stdin, "drain"), exited]);
    },
    close: async () => {
      isClosing = true;
      if (child.exitCode === null && child.signalCode === null) {
        child.kill("SIGTERM");
        const kill = setTimeout(() => child.kill("SIGKILL"), GRACE_MS);
        await exited;
        clearTimeout(kill);
      }
      await exited;
    },
  };
}
