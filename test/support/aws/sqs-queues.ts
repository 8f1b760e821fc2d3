import { type Fields, sqsRefusal } from "./emulator.ts";
import { type MessageStore, operateOn, takeMessages } from "./sqs-messages.ts";
import { changeOf, openQueue, type Queue, reappear, seconds, wake } from "./sqs-queue.ts";

export interface QueuesOptions extends MessageStore {
  /** What every queue's URL begins with: address and account. */
  readonly urlBase: () => string;
}

/** One operation, as the JSON protocol has it; `signal` ends a poll. */
export interface SqsCall {
  readonly operation: string;
  readonly input: Fields;
  readonly signal: AbortSignal;
}

export interface Queues {
  /** Throws AwsRefusal. */
  call(call: SqsCall): Promise<Fields>;
  /** Everything goes, and no name rests. */
  purge(): Promise<void>;
  /** How many long polls stand now. */
  standing(): number;
}

const NAME_RESTS_MS = 60_000;
const LONGEST_WAIT_SECONDS = 20;
/** How often a poll looks whether the clock of a test made a message visible again. */
const LOOK_MS = 50;

/**
 * SQS's queues by the test's clock. The emulator keeps order, groups, deduplication and limits; time, waiting and the
 * planned faults are kept here. A long poll lasts in real seconds. Not the clock's: DelaySeconds and deduplication.
 */
export function createQueues(options: QueuesOptions): Queues {
  const { emulator, now } = options;
  const queues = new Map<string, Queue>();
  const deletedAt = new Map<string, number>();
  let polls = 0;
  const urlOf = (name: string) => `${options.urlBase()}/${name}`;

  function queueOf(url: unknown): Queue {
    const base = urlOf("");
    const text = String(url ?? "");
    if (!text.startsWith(base)) {
      throw sqsRefusal("InvalidAddress", `The address ${text} is not valid here.`, 404);
    }
    const queue = queues.get(text.slice(base.length));
    if (queue !== undefined) return queue;
    throw sqsRefusal("QueueDoesNotExist", "The specified queue does not exist.");
  }

  async function create(input: Fields): Promise<Fields> {
    const name = String(input.QueueName ?? "");
    checkName(name);
    if (now() < (deletedAt.get(name) ?? -Infinity) + NAME_RESTS_MS) {
      throw sqsRefusal(
        "QueueDeletedRecently",
        "You must wait 60 seconds after deleting a queue before you can create another with the same name.",
      );
    }
    const { QueueUrl } = await emulator.sqs("CreateQueue", input);
    const opened = await openQueue(name, String(QueueUrl), emulator);
    if (!queues.has(name)) queues.set(name, opened);
    return { QueueUrl: urlOf(name) };
  }

  async function remove(queue: Queue): Promise<Fields> {
    await emulator.sqs("DeleteQueue", { QueueUrl: queue.url });
    queues.delete(queue.name);
    deletedAt.set(queue.name, now());
    wake(queue);
    return {};
  }

  async function receive({ input, signal }: SqsCall): Promise<Fields> {
    const usual = Number(queueOf(input.QueueUrl).attributes.ReceiveMessageWaitTimeSeconds);
    const wait = seconds(input.WaitTimeSeconds, "WaitTimeSeconds", LONGEST_WAIT_SECONDS, usual);
    const until = performance.now() + wait * 1000;
    for (;;) {
      // Asked each time: it may have been deleted while the poll waited.
      const queue = queueOf(input.QueueUrl);
      await reappear(queue, emulator, now());
      const seen = queue.changes;
      const messages = await takeMessages(queue, input, options);
      const leftMs = until - performance.now();
      if (messages.length > 0) return { Messages: messages };
      if (queue.changes === seen && (leftMs <= 0 || signal.aborted)) return {};
      const waitMs = queue.inflight.size > 0 ? Math.min(leftMs, LOOK_MS) : leftMs;
      polls += 1;
      await changeOf(queue, seen, waitMs, signal);
      polls -= 1;
    }
  }

  return {
    standing: () => polls,
    async call(call) {
      const { operation, input } = call;
      if (operation === "CreateQueue") return await create(input);
      if (operation === "GetQueueUrl") {
        return { QueueUrl: urlOf(queueOf(urlOf(String(input.QueueName))).name) };
      }
      if (operation === "ListQueues") {
        const prefix = String(input.QueueNamePrefix ?? "");
        const names = [...queues.keys()].filter((name) => name.startsWith(prefix));
        return names.length === 0 ? {} : { QueueUrls: names.map(urlOf) };
      }
      if (operation === "ReceiveMessage") return await receive(call);
      const queue = queueOf(input.QueueUrl);
      await reappear(queue, emulator, now());
      if (operation === "DeleteQueue") return await remove(queue);
      return await operateOn(queue, operation, input, options);
    },
    async purge() {
      for (const queue of queues.values()) await remove(queue);
      deletedAt.clear();
    },
  };
}

function checkName(name: string): void {
  if (name.length <= 80 && /^[\w-]+(\.fifo)?$/.test(name)) return;
  throw sqsRefusal(
    "InvalidParameterValue",
    "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length",
  );
}
