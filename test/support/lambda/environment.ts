import { spawn, type ChildProcess } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import http from "node:http";
import type { AddressInfo } from "node:net";
import path from "node:path";
import { createInterface } from "node:readline";

export interface FunctionOptions {
  readonly name: string;
  /** `FILE.EXPORT` of the folder that is deployed. */
  readonly handler: string;
  readonly deployed: () => string;
  readonly env: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  readonly memoryMb: number;
}

/** An invocation that ended without an answer, as Lambda tells the caller. */
export class FunctionError extends Error {
  override readonly name = "FunctionError";
  readonly errorType: string;

  constructor(errorType: string, message: string) {
    super(message);
    this.errorType = errorType;
  }
}

export interface Environment {
  /** Milliseconds from the start of the process until it asked for its first event. Rejects when it never did. */
  readonly ready: Promise<number>;
  /** Resolves when its process is gone. */
  readonly gone: Promise<void>;
  /** The function's answer, one call at a time, after `ready` and `idle`. Throws `FunctionError`. */
  invoke(payload: string): Promise<string>;
  /** Resolves when it has asked for its next event; never when it is gone. */
  idle(): Promise<void>;
  /** Ends the process as the loss of its machine would. */
  kill(): void;
}

/** Lambda's limit for an answer: 6 MB and a little. */
const MAX_ANSWER_BYTES = 6_291_556;
const RUNTIME = path.join(import.meta.dirname, "runtime.mjs");

interface Invocation {
  readonly id: string;
  readonly payload: string;
  readonly deadline: number;
  settle(result: string | FunctionError): void;
}

/**
 * One execution environment: a process that talks Lambda's Runtime API (version 2018-06-01) to a server of its own.
 * Between its calls the process is stopped, as Lambda freezes it.
 */
export async function startEnvironment(
  options: FunctionOptions,
  hearLine: (line: string) => void,
): Promise<Environment> {
  let held: http.ServerResponse | undefined;
  let current: Invocation | undefined;
  let child: ChildProcess | undefined;
  let idle = deferred<void>();
  const ready = deferred<number>();
  ready.promise.catch(() => {});
  const fail = (type: string, message: string): void => {
    const error = new FunctionError(type, message);
    ready.reject(error);
    current?.settle(error);
  };

  const server = http.createServer((request, response) => {
    void (async () => {
      const where = (request.url ?? "").replace("/2018-06-01/runtime/", "");
      const body = await textOf(request);
      if (where === "invocation/next") {
        ready.resolve(performance.now() - started);
        held = response;
        idle.resolve();
        child?.kill("SIGSTOP");
        return;
      }
      const [, id, kind] = /^invocation\/([^/]+)\/(response|error)$/.exec(where) ?? [];
      if (where === "init/error") fail(...errorIn(body));
      else if (current === undefined || id !== current.id) return answer(response, 403);
      else if (kind === "error") fail(...errorIn(body));
      else if (Buffer.byteLength(body) > MAX_ANSWER_BYTES) {
        fail("Function.ResponseSizeTooLarge", "Response payload size exceeded maximum allowed");
        return answer(response, 413);
      } else current.settle(body);
      answer(response, 202);
    })();
  });
  server.keepAliveTimeout = 0;
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const started = performance.now();
  child = spawn(process.execPath, [RUNTIME], {
    env: environmentOf(options, (server.address() as AddressInfo).port),
    stdio: ["ignore", "pipe", "pipe"],
  });
  for (const stream of [child.stdout, child.stderr]) {
    if (stream) createInterface({ input: stream }).on("line", hearLine);
  }
  const kill = (): void => void child.kill("SIGKILL");
  process.once("exit", kill);
  const gone = once(child, "close").then(() => {
    process.off("exit", kill);
    server.closeAllConnections();
    server.close();
    fail("Runtime.ExitError", "the runtime exited without an answer");
  });

  return {
    ready: ready.promise,
    gone,
    kill,
    idle: () => idle.promise,
    invoke: (payload) =>
      new Promise((resolve, reject) => {
        if (!held || current) return reject(new Error("an environment takes one call at a time"));
        idle = deferred<void>();
        const timeout = setTimeout(() => {
          const seconds = (options.timeoutMs / 1000).toFixed(2);
          fail("Sandbox.Timedout", `Task timed out after ${seconds} seconds`);
          kill();
        }, options.timeoutMs);
        current = {
          id: randomUUID(),
          payload,
          deadline: Date.now() + options.timeoutMs,
          settle(result) {
            clearTimeout(timeout);
            current = undefined;
            if (result instanceof FunctionError) reject(result);
            else resolve(result);
          },
        };
        child.kill("SIGCONT");
        deliver(held, current, options.name);
        held = undefined;
      }),
  };
}

function deliver(to: http.ServerResponse, { id, deadline, payload }: Invocation, name: string) {
  to.writeHead(200, {
    "content-type": "application/json",
    "lambda-runtime-aws-request-id": id,
    "lambda-runtime-deadline-ms": String(deadline),
    "lambda-runtime-invoked-function-arn": `arn:aws:lambda:eu-central-1:000000000000:function:${name}`,
    "lambda-runtime-trace-id": "Root=1-00000000-000000000000000000000000;Sampled=0",
  });
  to.end(payload);
}

function answer(response: http.ServerResponse, status: number): void {
  response.writeHead(status, { "content-type": "application/json" });
  response.end(JSON.stringify({ status: status === 202 ? "OK" : "refused" }));
}

/** Nothing of this machine's own environment. */
const environmentOf = (options: FunctionOptions, port: number) => ({
  AWS_LAMBDA_RUNTIME_API: `127.0.0.1:${port}`,
  AWS_LAMBDA_FUNCTION_NAME: options.name,
  AWS_LAMBDA_FUNCTION_MEMORY_SIZE: String(options.memoryMb),
  AWS_LAMBDA_INITIALIZATION_TYPE: "on-demand",
  LAMBDA_TASK_ROOT: options.deployed(),
  _HANDLER: options.handler,
  TZ: ":UTC",
  ...options.env,
});

function errorIn(body: string): [type: string, message: string] {
  const { errorType, errorMessage } = JSON.parse(body) as Record<string, string>;
  return [errorType ?? "Error", errorMessage ?? ""];
}

async function textOf(request: http.IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part as Buffer);
  return Buffer.concat(parts).toString();
}

function deferred<T>() {
  let resolve!: (value: T) => void;
  let reject!: (error: Error) => void;
  const promise = new Promise<T>((...both) => ([resolve, reject] = both));
  return { promise, resolve, reject };
}
