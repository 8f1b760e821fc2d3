import { randomBytes } from "node:crypto";
import type { AddedWorker } from "#protocol/api.ts";
import { VERSION } from "#protocol/version.ts";
import { WORKER_PROTOCOL, type QueueWait, type SyncResponse } from "#protocol/worker-api.ts";
import { makeClient, type Client } from "../control-plane/cli/client.ts";
import { readNamedFile, UsageError } from "../control-plane/cli/command.ts";
import type { Context } from "./apply-change.ts";
import { findStack } from "./stack.ts";

/** A queue answers within its hold and this. */
const ANSWER_SECONDS = 10;

/**
 * Tries a deployed lab as a worker does, with what no emulator proves: a URL that the API's function has signed, polled
 * at SQS itself by somebody without credentials. Leaves nothing behind. @returns the exit code.
 */
export async function smoke(context: Context): Promise<number> {
  const { cloud, options, terminal, signal } = context;
  const stack = await findStack(cloud.cloudFormation, options.stack);
  const url = stack?.outputs["Url"];
  if (!url) throw new UsageError(`no lab ${options.stack} in ${cloud.region}`);
  const connect = (token: string) => makeClient({ url, token, signal, patienceMs: 30_000 });
  const admin = connect(readNamedFile(options.tokenFile).trim());
  const name = `smoke-${randomBytes(4).toString("hex")}`;
  const { token } = await admin.json<AddedWorker>("POST", "/workers", { name });
  try {
    terminal.say(`${url} answers; made worker ${name}`);
    const wait = await askForQueue(connect(token));
    terminal.say(`it was told to wait at ${new URL(wait.url).host}`);
    const ms = await untilRung(wait, signal, () =>
      // A worker whose token is revoked is rung for.
      admin.json("DELETE", `/tokens/${token.split("_")[1] ?? ""}`),
    );
    terminal.say(`the queue took the signed URL, and rang ${ms} ms after the lab did`);
  } finally {
    await admin.json("DELETE", `/workers/${name}`);
  }
  if (options.json) terminal.out(JSON.stringify({ stack: options.stack, outcome: "works", url }));
  else terminal.out("The lab works, and workers can wait at SQS.");
  return 0;
}

async function askForQueue(worker: Client): Promise<QueueWait> {
  const { wait } = await worker.json<SyncResponse>("POST", "/worker/sync", {
    protocol: WORKER_PROTOCOL,
    version: VERSION,
    runners: [],
    wait_seconds: 0,
    waits: ["queue"],
  });
  if (wait) return wait;
  throw new Error(
    "the lab gave no queue to wait at: its log says why; workers wait at the API instead, which costs more",
  );
}

/** @returns milliseconds from the ring to the answer. */
async function untilRung(
  { url, hold_seconds }: QueueWait,
  signal: AbortSignal,
  ring: () => Promise<unknown>,
): Promise<number> {
  const limit = AbortSignal.timeout((hold_seconds + ANSWER_SECONDS) * 1000);
  const polled = fetch(url, { signal: AbortSignal.any([signal, limit]) });
  // Whoever fails first is told of; the other must not end the program.
  polled.catch(() => {});
  await ring();
  const started = performance.now();
  const answer = await polled;
  const text = await answer.text();
  if (!answer.ok) {
    const code = /<Code>([\w.]+)<\/Code>/.exec(text)?.[1] ?? text.slice(0, 200);
    throw new Error(`SQS refuses the signed URL: ${answer.status} ${code}`);
  }
  if (!text.includes("<Message>")) throw new Error("SQS took the signed URL, but nobody rang");
  return Math.round(performance.now() - started);
}
