import {
  DeleteMessageBatchCommand,
  ReceiveMessageCommand,
  SQSClient,
  type Message,
} from "@aws-sdk/client-sqs";
import type { Credentials } from "../../../control-plane/engines/aws/place.ts";
import { FunctionError } from "./environment.ts";

export interface QueueOptions {
  readonly url: string;
  readonly region: string;
  readonly endpoint: string;
  readonly credentials: Credentials;
}

export interface QueueSource {
  /** Resolves when no batch is at work. */
  settled(): Promise<void>;
  close(): Promise<void>;
}

const BATCH = 10;
/** Batches at work at a time; the queue itself gives out one batch of a group at a time. */
const CONCURRENCY = 5;

/**
 * Lambda's event source for a FIFO queue: takes batches, calls the function, deletes what it did not report as failed.
 * The rest comes again when its visibility timeout is over.
 */
export function startQueueSource(
  { url: QueueUrl, region, endpoint, credentials }: QueueOptions,
  invoke: (event: unknown) => Promise<string>,
): QueueSource {
  const client = new SQSClient({ region, endpoint, credentials, maxAttempts: 1 });
  const closing = new AbortController();
  const working = new Set<Promise<void>>();

  async function work(messages: Message[]): Promise<void> {
    const failed = await failedOf(invoke({ Records: messages.map(record) }));
    const done = messages.filter(
      ({ MessageId = "" }) => failed !== "all" && !failed.has(MessageId),
    );
    if (done.length === 0) return;
    const Entries = done.map(({ ReceiptHandle }, n) => ({ Id: String(n), ReceiptHandle }));
    await client.send(new DeleteMessageBatchCommand({ QueueUrl, Entries }));
  }

  async function poll(): Promise<void> {
    while (!closing.signal.aborted) {
      const messages = await receive();
      if (messages.length === 0) continue;
      const batch: Promise<void> = work(messages)
        .catch(() => {})
        .finally(() => working.delete(batch));
      working.add(batch);
      if (working.size >= CONCURRENCY) await Promise.race(working);
    }
  }

  /** Empty when the queue was, or was not to be reached. */
  async function receive(): Promise<Message[]> {
    const command = new ReceiveMessageCommand({
      QueueUrl,
      MaxNumberOfMessages: BATCH,
      WaitTimeSeconds: 20,
      MessageSystemAttributeNames: ["All"],
    });
    try {
      const answer = await client.send(command, { abortSignal: closing.signal });
      return answer.Messages ?? [];
    } catch {
      await new Promise((resolve) => setTimeout(resolve, closing.signal.aborted ? 0 : 200));
      return [];
    }
  }

  const polling = poll();
  return {
    async settled() {
      while (working.size > 0) await Promise.all(working);
    },
    async close() {
      closing.abort();
      await polling;
      await Promise.all(working);
      client.destroy();
    },
  };
}

/** Ids of the messages that come again: all of them when the function failed or said nothing that we know. */
async function failedOf(answer: Promise<string>): Promise<Set<string> | "all"> {
  try {
    const { batchItemFailures = [] } = (JSON.parse(await answer) ?? {}) as {
      batchItemFailures?: { itemIdentifier: string }[];
    };
    return new Set(batchItemFailures.map(({ itemIdentifier }) => itemIdentifier));
  } catch (error) {
    if (error instanceof FunctionError) return "all";
    throw error;
  }
}

const record = ({ MessageId, ReceiptHandle, Body, Attributes, MD5OfBody }: Message) => ({
  messageId: MessageId,
  receiptHandle: ReceiptHandle,
  body: Body,
  attributes: Attributes ?? {},
  messageAttributes: {},
  md5OfBody: MD5OfBody,
  eventSource: "aws:sqs",
  eventSourceARN: "arn:aws:sqs:eu-central-1:000000000000:pumice-passes.fifo",
  awsRegion: "eu-central-1",
});
