import {
  CreateQueueCommand,
  DeleteQueueCommand,
  ReceiveMessageCommand,
  SendMessageCommand,
  SQSClient,
} from "@aws-sdk/client-sqs";
import type { Bell, Listener, Signals } from "../../ports/signals.ts";
import type { System } from "../../ports/system.ts";
import { pause } from "./pause.ts";
import { clientOptions, type AwsPlace } from "./place.ts";
import { createSigner } from "./signer.ts";

export interface AwsSignals extends Signals {
  close(): void;
}

/** SQS's longest long poll. */
const HOLD_SECONDS = 20;
/** SQS refuses presigned requests after 15 minutes, whatever they say; a little less, for slow clocks. */
const GRANT_SECONDS = 14 * 60;
/**
 * A ring is kept for a minute and handed out again each 20 s, so that one whose answer got lost on the way is
 * heard later. Nobody deletes rings: whoever waits knows the id of the last ones.
 */
const QUEUE_ATTRIBUTES = {
  MessageRetentionPeriod: "60",
  VisibilityTimeout: "20",
  ReceiveMessageWaitTimeSeconds: String(HOLD_SECONDS),
  SqsManagedSseEnabled: "true",
};

const NO_QUEUE = "QueueDoesNotExist";

interface Context {
  readonly client: SQSClient;
  readonly place: AwsPlace;
  readonly system: Pick<System, "now" | "id" | "hash" | "log">;
}

/**
 * Doorbells over SQS: a queue per worker, made when somebody first waits at it, and a FIFO queue of scheduling
 * passes. Jobs have no bells here: their followers ask again. A ring that fails is logged and lost, as any may be:
 * what it was about is in the table.
 */
export function openSignals(place: AwsPlace, system: Context["system"]): AwsSignals {
  const client = new SQSClient(clientOptions(place, place.endpoints?.sqs));
  const context: Context = { client, place, system };
  const sign = createSigner(place, "sqs");
  const known = new Set<string>();

  /** Undefined when SQS does not make it now: the name was deleted a moment ago, or SQS is away. */
  async function ensureQueue(bell: Bell): Promise<string | undefined> {
    const name = queueName(context, bell);
    if (name === undefined) return undefined;
    if (!known.has(name)) {
      const made = await attempt(context, `cannot make the queue of ${bell}`, () =>
        client.send(
          new CreateQueueCommand({
            QueueName: name,
            Attributes: QUEUE_ATTRIBUTES,
            // As everything of the lab has it (infra/template.yaml).
            tags: { "pumice:lab": place.queuePrefix },
          }),
        ),
      );
      if (!made) return undefined;
      known.add(name);
    }
    return queueUrl(place, name);
  }

  return {
    async ring(bell) {
      const name = queueName(context, bell);
      if (name === undefined) return;
      const message = new SendMessageCommand({
        QueueUrl: queueUrl(place, name),
        MessageBody: "look",
      });
      // Without a queue nobody waits there; who is about to looks at the table once the queue is made.
      await attempt(context, `cannot ring ${bell}`, () => client.send(message), NO_QUEUE);
    },
    async requestPass(deviceType) {
      await attempt(context, `cannot ask for a pass of ${deviceType}`, () =>
        client.send(
          new SendMessageCommand({
            QueueUrl: place.passesQueueUrl,
            MessageBody: deviceType,
            MessageGroupId: system.hash(deviceType).slice(0, 32),
            // Never equal: a pass that was asked for a second ago may have begun already.
            MessageDeduplicationId: system.id(),
          }),
        ),
      );
    },
    async grantWait(bell) {
      const url = await ensureQueue(bell);
      if (url === undefined) return undefined;
      const target = new URL(url);
      const query = {
        Action: "ReceiveMessage",
        Version: "2012-11-05",
        WaitTimeSeconds: String(HOLD_SECONDS),
        MaxNumberOfMessages: "10",
      };
      for (const [name, value] of Object.entries(query)) target.searchParams.set(name, value);
      const at = new Date(system.now());
      return {
        url: await sign({ method: "GET", url: target, expiresInSeconds: GRANT_SECONDS, at }),
        expiresInSeconds: GRANT_SECONDS,
        holdSeconds: HOLD_SECONDS,
      };
    },
    async remove(bell) {
      const name = queueName(context, bell);
      if (name === undefined) return;
      known.delete(name);
      await attempt(
        context,
        `cannot delete the queue of ${bell}`,
        () => client.send(new DeleteQueueCommand({ QueueUrl: queueUrl(place, name) })),
        NO_QUEUE,
      );
    },
    listen: (bell) =>
      listen(
        context,
        () => ensureQueue(bell),
        () => void known.delete(queueName(context, bell) ?? ""),
      ),
    close: () => client.destroy(),
  };
}

/** Only workers have queues. Their names may be longer and of other characters than a queue's. */
function queueName({ place, system }: Context, bell: Bell): string | undefined {
  if (!bell.startsWith("worker/")) return undefined;
  return `${place.queuePrefix}-w-${system.hash(bell).slice(0, 32)}`;
}

/** Beside the queue of passes: same account, same region. */
const queueUrl = ({ passesQueueUrl }: AwsPlace, name: string): string =>
  passesQueueUrl.replace(/[^/]*$/, name);

/**
 * For workers that can't poll SQS themselves: we do it for them, while their request is held. `forget` is told of a
 * queue that is gone, so that `ensure` makes it again.
 */
function listen(
  context: Context,
  ensure: () => Promise<string | undefined>,
  forget: () => void,
): Listener {
  return {
    async rung(timeoutMs, signal) {
      const end = performance.now() + timeoutMs;
      for (;;) {
        const left = end - performance.now();
        if (left < 1000 || signal?.aborted) return false;
        const seconds = Math.min(HOLD_SECONDS, Math.floor(left / 1000));
        const url = await ensure();
        const poll = () => receive(context, url ?? "", seconds, signal);
        const answer =
          url && (await attempt(context, "cannot poll a worker's queue", poll, NO_QUEUE));
        if (answer && answer.Messages?.length) return true;
        if (answer) continue;
        forget();
        await pause(Math.min(left, 1000), signal);
      }
    },
    close: () => {},
  };
}

function receive({ client }: Context, url: string, seconds: number, signal?: AbortSignal) {
  return client.send(
    new ReceiveMessageCommand({ QueueUrl: url, WaitTimeSeconds: seconds, MaxNumberOfMessages: 10 }),
    { requestTimeout: seconds * 1000 + 5000, ...(signal ? { abortSignal: signal } : {}) },
  );
}

/** Does what may be lost: a failure is for the log, unless it is of the expected name. */
async function attempt<T>(
  { system }: Context,
  what: string,
  work: () => Promise<T>,
  expected?: string,
): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    const { name } = error as Error;
    if (name === "AbortError" || (expected !== undefined && name.includes(expected)))
      return undefined;
    system.log(what, { error: String(error) });
    return undefined;
  }
}
