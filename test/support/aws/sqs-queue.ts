import { type Emulator, sqsRefusal } from "./emulator.ts";
import { AwsRefusal } from "./exchange.ts";

/** What the tests' SQS remembers of a queue beside the emulator: times by its own clock, and who waits. */
export interface Queue {
  readonly name: string;
  /** As the emulator knows it. */
  readonly url: string;
  attributes: Record<string, string>;
  /** Receipt handle to its message, and the epoch milliseconds at which that is visible again. */
  readonly inflight: Map<string, { readonly messageId: string; readonly dueAt: number }>;
  /** Message id to the epoch milliseconds of its sending. */
  readonly sentAt: Map<string, number>;
  /** Messages accepted that nobody may ever see. */
  readonly dropped: Set<string>;
  /** Grows with all that may end a wait. */
  changes: number;
  readonly waiting: Set<() => void>;
}

/** How long the emulator is told to hide a message: by its own clock, so for longer than any test runs. */
export const HIDDEN_SECONDS = 43_200;

export async function openQueue(name: string, url: string, emulator: Emulator): Promise<Queue> {
  const queue: Queue = {
    name,
    url,
    attributes: {},
    inflight: new Map(),
    sentAt: new Map(),
    dropped: new Set(),
    changes: 0,
    waiting: new Set(),
  };
  await learnAttributes(queue, emulator);
  return queue;
}

export async function learnAttributes(queue: Queue, emulator: Emulator): Promise<void> {
  const { Attributes } = await emulator.sqs("GetQueueAttributes", {
    QueueUrl: queue.url,
    AttributeNames: ["All"],
  });
  queue.attributes = Attributes as Record<string, string>;
}

/** Every poll that waits for the queue looks again. */
export function wake(queue: Queue): void {
  queue.changes += 1;
  for (const look of queue.waiting) look();
}

/** Shows again what was received and not deleted in time. */
export async function reappear(queue: Queue, emulator: Emulator, now: number): Promise<void> {
  for (const [handle, { dueAt }] of queue.inflight) {
    if (dueAt <= now) await show(queue, emulator, handle);
  }
}

/** Ends the hiding of one received message. */
export async function show(queue: Queue, emulator: Emulator, handle: string): Promise<void> {
  queue.inflight.delete(handle);
  const input = { QueueUrl: queue.url, ReceiptHandle: handle, VisibilityTimeout: 0 };
  try {
    await emulator.sqs("ChangeMessageVisibility", input);
  } catch (error) {
    // Deleted, with its queue or alone, since it fell due.
    if (!(error instanceof AwsRefusal)) throw error;
  }
  wake(queue);
}

/** Resolves when the queue changed after `seen`, after `milliseconds`, or when the signal ends: whichever is first. */
export async function changeOf(
  queue: Queue,
  seen: number,
  milliseconds: number,
  signal: AbortSignal,
): Promise<void> {
  if (queue.changes !== seen || signal.aborted) return;
  await new Promise<void>((resolve) => {
    const look = () => {
      clearTimeout(timer);
      queue.waiting.delete(look);
      signal.removeEventListener("abort", look);
      resolve();
    };
    const timer = setTimeout(look, milliseconds);
    queue.waiting.add(look);
    signal.addEventListener("abort", look);
  });
}

/** A whole number within limits, or `otherwise` where none is given. Throws AwsRefusal. */
export function seconds(given: unknown, name: string, most: number, otherwise: number): number {
  if (given === undefined) return otherwise;
  if (Number.isInteger(given) && Number(given) >= 0 && Number(given) <= most) return Number(given);
  throw sqsRefusal(
    "InvalidParameterValue",
    `Value ${String(given)} for parameter ${name} is invalid. Reason: Must be >= 0 and <= ${most}, if provided.`,
  );
}
