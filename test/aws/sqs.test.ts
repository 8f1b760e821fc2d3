import {
  ChangeMessageVisibilityCommand,
  CreateQueueCommand,
  DeleteMessageBatchCommand,
  DeleteMessageCommand,
  DeleteQueueCommand,
  GetQueueAttributesCommand,
  type Message,
  ReceiveMessageCommand,
  SendMessageBatchCommand,
  SendMessageCommand,
  SQSClient,
} from "@aws-sdk/client-sqs";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { type S3AndSqs, startS3AndSqs } from "../support/aws/s3-and-sqs.ts";
import { signedUrl } from "../support/aws/signed-url.ts";

const START = Date.parse("2026-03-04T05:06:07Z");
const MINUTE = 60_000;
let now = START;
let aws: S3AndSqs;
let sqs: SQSClient;
let queue: string;

beforeAll(async () => {
  aws = await startS3AndSqs({ now: () => now });
  sqs = clientFor(aws.credentials);
});
beforeEach(async () => {
  queue = await create("plain");
  aws.meter.reset();
});
afterEach(async () => {
  now = START;
  await aws.purge();
});
afterAll(async () => {
  sqs.destroy();
  await aws.close();
});

const clientFor = (credentials: S3AndSqs["credentials"]) =>
  new SQSClient({
    region: aws.region,
    endpoint: aws.sqsEndpoint,
    credentials,
    // It signs by the clock of the tests; beyond a few minutes it learns the time from the answers.
    systemClockOffset: START - Date.now(),
    maxAttempts: 1,
  });

async function create(name: string, attributes: Record<string, string> = {}): Promise<string> {
  const made = await sqs.send(new CreateQueueCommand({ QueueName: name, Attributes: attributes }));
  return made.QueueUrl!;
}

const send = async (body: string, to = queue) =>
  await sqs.send(new SendMessageCommand({ QueueUrl: to, MessageBody: body }));

async function receive(from = queue, options = {}): Promise<Message[]> {
  const input = { QueueUrl: from, MaxNumberOfMessages: 10, ...options };
  return (await sqs.send(new ReceiveMessageCommand(input))).Messages ?? [];
}

const bodies = (messages: Message[]) => messages.map(({ Body }) => Body);

const remove = async ({ ReceiptHandle }: Message, from = queue) =>
  await sqs.send(new DeleteMessageCommand({ QueueUrl: from, ReceiptHandle }));

async function pollUrl(from = queue, query: Record<string, string> = {}): Promise<string> {
  const url = new URL(from);
  const parameters = { Action: "ReceiveMessage", Version: "2012-11-05", ...query };
  for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value);
  const asked = { service: "sqs", method: "GET", url: url.href, at: now } as const;
  return await signedUrl(aws, { ...asked, expiresInSeconds: 10 });
}

const polls = async (count: number) =>
  await vi.waitFor(() => expect(aws.pollsStanding()).toBe(count), { interval: 5 });

describe("SQS by the SDK", () => {
  test("sends, receives once, deletes", async () => {
    await send("hello");
    const [message] = await receive();
    expect(message?.Body).toBe("hello");
    expect(await receive()).toEqual([]);
    await remove(message!);
    now += MINUTE;
    expect(await receive()).toEqual([]);
    expect(aws.meter.read().sqs).toMatchObject({
      SendMessage: { calls: 1, errors: 0 },
      ReceiveMessage: { calls: 3 },
      DeleteMessage: { calls: 1 },
    });
  });

  test("sends and deletes batches", async () => {
    await sqs.send(
      new SendMessageBatchCommand({
        QueueUrl: queue,
        Entries: ["a", "b"].map((body) => ({ Id: body, MessageBody: body })),
      }),
    );
    const messages = await receive();
    expect(bodies(messages)).toEqual(["a", "b"]);
    await sqs.send(
      new DeleteMessageBatchCommand({
        QueueUrl: queue,
        Entries: messages.map(({ ReceiptHandle }, index) => ({ Id: `${index}`, ReceiptHandle })),
      }),
    );
    now += MINUTE;
    expect(await receive()).toEqual([]);
  });

  test("shows a message again when its time is over by the clock, or was made shorter or longer", async () => {
    const url = await create("short", { VisibilityTimeout: "20" });
    const change = async ({ ReceiptHandle }: Message, VisibilityTimeout: number) =>
      await sqs.send(
        new ChangeMessageVisibilityCommand({ QueueUrl: url, ReceiptHandle, VisibilityTimeout }),
      );
    await send("hello", url);
    await receive(url);
    now += 19_999;
    expect(await receive(url)).toEqual([]);
    now += 1;
    const [second] = await receive(url);
    await change(second!, 40);
    now += 39_999;
    expect(await receive(url)).toEqual([]);
    await change(second!, 0);
    const [third] = await receive(url, { MessageSystemAttributeNames: ["All"] });
    expect(third?.Attributes?.ApproximateReceiveCount).toBe("3");
    await expect(change(second!, 1)).rejects.toMatchObject({ name: "MessageNotInflight" });
  });

  test("forgets a message after its retention", async () => {
    const url = await create("brief", { MessageRetentionPeriod: "60", VisibilityTimeout: "5" });
    await send("old", url);
    now += 59_999;
    expect(bodies(await receive(url))).toEqual(["old"]);
    await send("new", url);
    now += 5_000;
    expect(bodies(await receive(url))).toEqual(["new"]);
  });

  test("looks past the dead for the living", async () => {
    const url = await create("brief", { MessageRetentionPeriod: "60" });
    await send("old", url);
    now += MINUTE;
    await send("new", url);
    expect(bodies(await receive(url, { MaxNumberOfMessages: 1 }))).toEqual(["new"]);
  });

  test("keeps the order of a FIFO group, one at a time, and knows the same message again", async () => {
    const url = await create("ordered.fifo", { FifoQueue: "true" });
    const sendTo = async (group: string, id: string) =>
      await sqs.send(
        new SendMessageCommand({
          QueueUrl: url,
          MessageBody: id,
          MessageGroupId: group,
          MessageDeduplicationId: id,
        }),
      );
    for (const [group, id] of ["a1", "a2", "a1", "b1"].map((id) => [id[0]!, id] as const)) {
      await sendTo(group, id);
    }
    const first = await receive(url, { MaxNumberOfMessages: 1 });
    expect(bodies(first)).toEqual(["a1"]);
    expect(bodies(await receive(url, { MaxNumberOfMessages: 1 }))).toEqual(["b1"]);
    expect(await receive(url)).toEqual([]);
    const poll = receive(url, { WaitTimeSeconds: 20 });
    await polls(1);
    await remove(first[0]!, url);
    expect(bodies(await poll)).toEqual(["a2"]);
  });

  test("lets the name of a deleted queue rest for a minute", async () => {
    const gone = { name: "QueueDoesNotExist" };
    await sqs.send(new DeleteQueueCommand({ QueueUrl: queue }));
    await expect(send("hello")).rejects.toMatchObject(gone);
    now += MINUTE - 1;
    await expect(create("plain")).rejects.toMatchObject({ name: "QueueDeletedRecently" });
    now += 1;
    queue = await create("plain");
    expect(await receive()).toEqual([]);
  });

  test("ends a poll whose queue is deleted", async () => {
    const poll = receive(queue, { WaitTimeSeconds: 20 });
    const ended = poll.catch((error: Error) => error.name);
    await polls(1);
    await sqs.send(new DeleteQueueCommand({ QueueUrl: queue }));
    expect(await ended).toBe("QueueDoesNotExist");
  });

  test("says what a queue is set to and how full it is", async () => {
    await send("a");
    await send("b");
    await receive(queue, { MaxNumberOfMessages: 1 });
    const all = new GetQueueAttributesCommand({ QueueUrl: queue, AttributeNames: ["All"] });
    expect((await sqs.send(all)).Attributes).toMatchObject({
      VisibilityTimeout: "30",
      ApproximateNumberOfMessages: "1",
      ApproximateNumberOfMessagesNotVisible: "1",
    });
  });

  test("refuses a wrong secret, a foreign token and what SQS refuses", async () => {
    for (const [credentials, name] of [
      [{ ...aws.credentials, secretAccessKey: "wrong" }, "SignatureDoesNotMatch"],
      [{ ...aws.credentials, sessionToken: "wrong" }, "InvalidClientTokenId"],
    ] as const) {
      const client = clientFor(credentials);
      const attempt = client.send(new ReceiveMessageCommand({ QueueUrl: queue }));
      await expect(attempt).rejects.toMatchObject({ name });
      client.destroy();
    }
    for (const refused of [
      receive(queue, { WaitTimeSeconds: 21 }),
      receive(queue, { MaxNumberOfMessages: 11 }),
      receive(queue, { VisibilityTimeout: -1 }),
      create("no spaces"),
    ]) {
      await expect(refused).rejects.toMatchObject({ name: "InvalidParameterValue" });
    }
  });
});

describe("SQS by presigned URL", () => {
  test("answers in XML", async () => {
    await send('<a & "b">');
    const answer = await fetch(await pollUrl());
    expect(answer.headers.get("content-type")).toBe("text/xml");
    expect(await answer.text()).toMatch(
      /^<\?xml version="1.0"\?><ReceiveMessageResponse xmlns="http:\/\/queue.amazonaws.com\/doc\/2012-11-05\/"><ReceiveMessageResult><Message><MessageId>[\w-]+<\/MessageId><ReceiptHandle>[\w-]+<\/ReceiptHandle><MD5OfBody>\w{32}<\/MD5OfBody><Body>&lt;a &amp; &quot;b&quot;&gt;<\/Body><\/Message><\/ReceiveMessageResult>/,
    );
  });

  test("wakes a long poll on a send, and on a message that is visible again by the clock", async () => {
    const url = await pollUrl(queue, { WaitTimeSeconds: "20" });
    const waiting = [fetch(url), fetch(url)];
    await polls(2);
    await send("hello");
    const first = await Promise.race(waiting);
    expect(await first.text()).toContain("<Body>hello</Body>");
    now += 30_000;
    for (const answer of await Promise.all(waiting)) {
      if (answer !== first) expect(await answer.text()).toContain("<Body>hello</Body>");
    }
  });

  test("answers empty when nothing came in the time asked for", async () => {
    const text = await (await fetch(await pollUrl(queue, { WaitTimeSeconds: "1" }))).text();
    expect(text).toContain("<ReceiveMessageResult></ReceiveMessageResult>");
  });

  test("ends the poll of a client that went away, and loses no message to it", async () => {
    const away = new AbortController();
    const url = await pollUrl(queue, { WaitTimeSeconds: "20" });
    const ended = fetch(url, { signal: away.signal }).catch((error: Error) => error.name);
    await polls(1);
    away.abort();
    expect(await ended).toBe("AbortError");
    await polls(0);
    await send("hello");
    expect(bodies(await receive())).toEqual(["hello"]);
  });

  test("lasts a quarter of an hour, whatever it says", async () => {
    const url = await pollUrl();
    now = START + 15 * MINUTE;
    expect((await fetch(url)).status).toBe(200);
    now += 1;
    const late = await fetch(url);
    expect(late.status).toBe(403);
    expect(await late.text()).toContain(
      "<Code>SignatureDoesNotMatch</Code><Message>Signature expired: 20260304T050607Z is now earlier than 20260304T050607Z (20260304T052107Z - 15 min.)</Message>",
    );
  });

  test("holds for one queue and one action", async () => {
    const url = await pollUrl();
    for (const other of [
      url.replace("/plain", "/other"),
      url.replace("ReceiveMessage", "DeleteQueue"),
      `${url}&VisibilityTimeout=0`,
      url.replace(/&X-Amz-.*/, ""),
    ]) {
      expect((await fetch(other)).status).toBe(403);
    }
    expect((await fetch(url, { method: "POST" })).status).toBe(403);
  });

  test("says that a queue is not there", async () => {
    const answer = await fetch(await pollUrl(queue.replace("plain", "none")));
    expect(answer.status).toBe(400);
    expect(await answer.text()).toContain("<Code>AWS.SimpleQueueService.NonExistentQueue</Code>");
  });
});

describe("faults of SQS", () => {
  test("throttle by either protocol", async () => {
    aws.faults.next({ service: "sqs", operation: "ReceiveMessage", kind: "throttle", times: 2 });
    await expect(receive()).rejects.toMatchObject({ name: "RequestThrottled" });
    const answer = await fetch(await pollUrl());
    expect(answer.status).toBe(403);
    expect(await answer.text()).toContain("<Code>RequestThrottled</Code>");
  });

  test("deliver a message twice, though the first was deleted", async () => {
    aws.faults.next({ service: "sqs", kind: "duplicate" });
    await send("hello");
    const [first] = await receive();
    await remove(first!);
    const [second] = await receive();
    expect(second?.MessageId).toBe(first?.MessageId);
    await remove(second!);
    now += MINUTE;
    expect(await receive()).toEqual([]);
  });

  test("accept a message and never deliver it", async () => {
    aws.faults.next({ service: "sqs", kind: "drop" });
    expect((await send("lost")).MessageId).toBeDefined();
    await send("kept");
    expect(bodies(await receive())).toEqual(["kept"]);
  });

  test("do a thing and lose the answer", async () => {
    aws.faults.next({ service: "sqs", operation: "SendMessage", kind: "lostAnswer" });
    await expect(send("hello")).rejects.toThrow();
    expect(bodies(await receive())).toEqual(["hello"]);
  });
});
