import { spawn } from "node:child_process";
import { constants } from "node:os";
import { StringDecoder } from "node:string_decoder";
import { JobFailure } from "../pipeline/job-failure.ts";

export interface CommandOptions {
  readonly cwd?: string;
  /** The worker's own environment with LC_ALL=C and the sbin folders when not given. */
  readonly env?: NodeJS.ProcessEnv;
  /** Ends the program and everything it started, at once. */
  readonly signal?: AbortSignal;
  /** Each line of stdout and stderr, as it comes, without its newline. */
  readonly onLine?: (line: string) => void;
  readonly input?: string | Buffer;
}

export interface CommandResult {
  /** Exit code; 128 + n, as a shell has it, when signal n ended the program. */
  readonly status: number;
  /** The last 64 KiB of stdout and stderr, in the order they came. */
  readonly output: string;
}

const MAX_OUTPUT_CHARS = 64 * 1024;
const MAX_LINE_CHARS = 8 * 1024;

/**
 * Runs a program of the host, without a shell, and waits for its end.
 *
 * @throws JobFailure Infrastructure when there is no such program; the signal's reason when aborted.
 */
export async function runCommand(
  argv: readonly [string, ...string[]],
  options: CommandOptions = {},
): Promise<CommandResult> {
  const { cwd, signal, onLine, input } = options;
  signal?.throwIfAborted();
  const [program, ...args] = argv;
  const child = spawn(program, args, {
    ...(cwd === undefined ? {} : { cwd }),
    env: options.env ?? hostEnvironment(),
    // A group of its own, so that its children end with it.
    detached: true,
    stdio: [input === undefined ? "ignore" : "pipe", "pipe", "pipe"],
  });
  const kill = (): void => killGroup(child.pid);
  signal?.addEventListener("abort", kill, { once: true });
  let output = "";
  const emit = (line: string): void => {
    output = `${output}${line}\n`.slice(-MAX_OUTPUT_CHARS);
    onLine?.(line);
  };
  const flushes = [child.stdout, child.stderr].map((stream) => readLines(stream, emit));
  // A program that ends without reading its input is judged by its exit code.
  child.stdin?.on("error", () => {});
  child.stdin?.end(input);
  try {
    const status = await new Promise<number>((resolve, reject) => {
      child.on("error", (cause: NodeJS.ErrnoException) => {
        const missing = cause.code === "ENOENT" || cause.code === "EACCES";
        const message = missing ? `Cannot find command '${program}' in $PATH` : cause.message;
        reject(new JobFailure("Infrastructure", message, { cause }));
      });
      child.on("close", (code, by) => resolve(code ?? 128 + constants.signals[by ?? "SIGKILL"]));
    });
    for (const flush of flushes) flush();
    signal?.throwIfAborted();
    return { status, output };
  } finally {
    signal?.removeEventListener("abort", kill);
  }
}

/** The worker's environment, or another, for programs of the host: messages in English, system tools on the PATH. */
export function hostEnvironment(
  more: Readonly<Record<string, string>> = {},
  environment: NodeJS.ProcessEnv = process.env,
): Record<string, string> {
  const PATH = `${environment["PATH"] ?? "/usr/bin:/bin"}:/usr/sbin:/sbin`;
  return { ...(environment as Record<string, string>), PATH, LC_ALL: "C", ...more };
}

function readLines(stream: NodeJS.ReadableStream | null, emit: (line: string) => void): () => void {
  const decoder = new StringDecoder("utf8");
  let rest = "";
  const flush = (): void => {
    if (rest !== "") emit(rest);
    rest = "";
  };
  stream?.on("data", (data: Buffer) => {
    const lines = (rest + decoder.write(data)).split(/\r?\n|\r/);
    rest = lines.pop() ?? "";
    for (const line of lines) emit(line.slice(0, MAX_LINE_CHARS));
    if (rest.length > MAX_LINE_CHARS) flush();
  });
  return flush;
}

function killGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // It has just ended.
  }
}
