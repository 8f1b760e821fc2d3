import { type Emulator, type Fields, sqsRefusal } from "./emulator.ts";
import type { Faults } from "./faults.ts";
import { HIDDEN_SECONDS, learnAttributes, type Queue, seconds, show, wake } from "./sqs-queue.ts";

export interface MessageStore {
  readonly emulator: Emulator;
  readonly faults: Faults;
  /** Epoch milliseconds. */
  readonly now: () => number;
}

type Entry = Readonly<Record<string, unknown>>;

/** What can be received now, hidden from then on by the test's clock. Throws AwsRefusal. */
export async function takeMessages(
  queue: Queue,
  input: Fields,
  store: MessageStore,
): Promise<Fields[]> {
  const { emulator, faults, now } = store;
  const hideMs =
    1000 *
    seconds(
      input.VisibilityTimeout,
      "VisibilityTimeout",
      HIDDEN_SECONDS,
      Number(queue.attributes.VisibilityTimeout),
    );
  const received = await emulator.sqs("ReceiveMessage", {
    ...input,
    QueueUrl: queue.url,
    WaitTimeSeconds: 0,
    VisibilityTimeout: HIDDEN_SECONDS,
  });
  const messages = (received.Messages ?? []) as Fields[];
  const kept = await keepAlive(queue, messages, store);
  for (const message of kept) {
    const handle = String(message.ReceiptHandle);
    const messageId = String(message.MessageId);
    queue.inflight.set(handle, { messageId, dueAt: now() + hideMs });
    if (faults.take("sqs", "ReceiveMessage", ["duplicate"])) await show(queue, emulator, handle);
  }
  // Only dead ones: there may be living ones behind them. Polls that wait now have a hidden message to watch.
  if (messages.length > 0) wake(queue);
  return kept;
}

/** Any operation on a queue but receiving from it and deleting it. Throws AwsRefusal. */
export async function operateOn(
  queue: Queue,
  operation: string,
  input: Fields,
  store: MessageStore,
): Promise<Fields> {
  const forward = async (changed: Fields = {}): Promise<Fields> =>
    await store.emulator.sqs(operation, { ...input, ...changed, QueueUrl: queue.url });
  switch (operation) {
    case "SendMessage": {
      const output = await forward();
      sent(queue, operation, [output], [input], store);
      return output;
    }
    case "SendMessageBatch": {
      const output = await forward();
      sent(queue, operation, entriesOf(output.Successful), entriesOf(input.Entries), store);
      return output;
    }
    case "DeleteMessage": {
      checkHandle(input.ReceiptHandle);
      const output = await forward();
      forget(queue, input.ReceiptHandle);
      return output;
    }
    case "DeleteMessageBatch": {
      const output = await forward();
      for (const entry of entriesOf(input.Entries)) forget(queue, entry.ReceiptHandle);
      return output;
    }
    case "ChangeMessageVisibility": {
      checkHandle(input.ReceiptHandle);
      const output = await forward(hiddenLonger(input));
      hide(queue, input, store);
      return output;
    }
    case "ChangeMessageVisibilityBatch": {
      const entries = entriesOf(input.Entries);
      const output = await forward({
        Entries: entries.map((entry) => ({ ...entry, ...hiddenLonger(entry) })),
      });
      const done = new Set(entriesOf(output.Successful).map(({ Id }) => Id));
      for (const entry of entries) if (done.has(entry.Id)) hide(queue, entry, store);
      return output;
    }
    case "SetQueueAttributes": {
      const output = await forward();
      await learnAttributes(queue, store.emulator);
      return output;
    }
    case "PurgeQueue": {
      const output = await forward();
      for (const known of [queue.inflight, queue.sentAt, queue.dropped]) known.clear();
      return output;
    }
    default:
      return await forward();
  }
}

/** Deletes from among messages just received what was dropped or outlived its retention; returns the others. */
async function keepAlive(
  queue: Queue,
  messages: readonly Fields[],
  { emulator, now }: MessageStore,
): Promise<Fields[]> {
  const retainedMs = Number(queue.attributes.MessageRetentionPeriod) * 1000;
  const kept: Fields[] = [];
  for (const message of messages) {
    const id = String(message.MessageId);
    if (!queue.dropped.has(id) && now() < (queue.sentAt.get(id) ?? now()) + retainedMs) {
      kept.push(message);
      continue;
    }
    queue.sentAt.delete(id);
    queue.dropped.delete(id);
    await emulator.sqs("DeleteMessage", {
      QueueUrl: queue.url,
      ReceiptHandle: message.ReceiptHandle,
    });
  }
  return kept;
}

function sent(
  queue: Queue,
  operation: string,
  outputs: readonly Entry[],
  inputs: readonly Entry[],
  { faults, now }: MessageStore,
): void {
  for (const { MessageId } of outputs) {
    const id = String(MessageId);
    // A second message that FIFO takes for the first has its id.
    if (!queue.sentAt.has(id)) queue.sentAt.set(id, now());
    if (faults.take("sqs", operation, ["drop"])) queue.dropped.add(id);
  }
  wake(queue);
  const delays = inputs.map((input) => Number(input.DelaySeconds ?? queue.attributes.DelaySeconds));
  for (const delay of delays.filter((each) => each > 0)) {
    setTimeout(() => wake(queue), delay * 1000 + 1).unref();
  }
}

function forget(queue: Queue, handle: unknown): void {
  const known = queue.inflight.get(String(handle));
  queue.inflight.delete(String(handle));
  if (known === undefined) return;
  queue.sentAt.delete(known.messageId);
  // The next of its group may be received now.
  if (queue.attributes.FifoQueue === "true") wake(queue);
}

/** Of a change of visibility that the emulator accepted. */
function hide(queue: Queue, change: Entry, { now }: MessageStore): void {
  const handle = String(change.ReceiptHandle);
  const known = queue.inflight.get(handle);
  if (known === undefined) return;
  const hideMs = Number(change.VisibilityTimeout) * 1000;
  if (hideMs === 0) queue.inflight.delete(handle);
  else queue.inflight.set(handle, { ...known, dueAt: now() + hideMs });
  wake(queue);
}

/** A sound, positive time as the longest there is; any other as it was, for the emulator to refuse or to do. */
function hiddenLonger({ VisibilityTimeout: given }: Entry): Fields {
  const isSound = Number.isInteger(given) && Number(given) > 0 && Number(given) <= HIDDEN_SECONDS;
  return isSound ? { VisibilityTimeout: HIDDEN_SECONDS } : {};
}

function checkHandle(handle: unknown): void {
  if (typeof handle === "string" && !/^[0-9a-f-]{36}$/.test(handle)) {
    throw sqsRefusal("ReceiptHandleIsInvalid", "The input receipt handle is invalid.", 404);
  }
}

const entriesOf = (value: unknown): readonly Entry[] =>
  Array.isArray(value) ? (value as Entry[]) : [];
