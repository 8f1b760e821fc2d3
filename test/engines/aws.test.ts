import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openBlobs } from "../../control-plane/engines/aws/blobs.ts";
import { openAwsEngine } from "../../control-plane/engines/aws/engine.ts";
import { openSignals, type AwsSignals } from "../../control-plane/engines/aws/signals.ts";
import { system } from "../../control-plane/node-system.ts";
import { Unavailable } from "../../control-plane/ports/unavailable.ts";
import { blobsConformance } from "../conformance/blobs.ts";
import { signalsConformance } from "../conformance/signals.ts";
import { startCloud, type Cloud } from "../support/aws/cloud.ts";

let cloud: Cloud;
let late = 0;
const now = () => Date.now() + late * 1000;
const messages: string[] = [];
const testSystem = { ...system, now, log: (message: string) => void messages.push(message) };
const opened: { close(): void }[] = [];

beforeAll(async () => {
  cloud = await startCloud({ now });
});
afterAll(async () => {
  for (const one of opened) one.close();
  await cloud.close();
});

describe("blobs in S3", () => {
  blobsConformance(async () => {
    late = 0;
    await cloud.storage.purge();
    return {
      blobs: openBlobs(cloud.place, testSystem),
      async send({ url, method, headers }, body) {
        const answer = await fetch(url, {
          method,
          headers: withoutLength(headers),
          ...(body ? { body: body as Uint8Array<ArrayBuffer> } : {}),
        });
        const { status, headers: answered } = answer;
        return { status, headers: answered, body: new Uint8Array(await answer.arrayBuffer()) };
      },
      pass: (seconds) => void (late += seconds),
    };
  });

  test.each(["throttle", "error500", "reset", "lostAnswer"] as const)(
    "a fault of S3 (%s) for a moment is not noticed, and one that lasts is `Unavailable`",
    async (kind) => {
      await cloud.storage.purge();
      const blobs = openBlobs(cloud.place, testSystem);
      cloud.storage.faults.next({ service: "s3", kind, times: 2 });
      await blobs.put("a/b", new Uint8Array([1, 2, 3]));
      cloud.storage.faults.next({ service: "s3", kind, times: 2 });
      expect(await blobs.get("a/b")).toEqual(new Uint8Array([1, 2, 3]));
      cloud.storage.faults.next({ service: "s3", kind, times: 5 });
      await expect(blobs.sizeBytes("a/b")).rejects.toThrow(Unavailable);
    },
  );
});

describe("signals over SQS", () => {
  const open = (): AwsSignals => {
    const signals = openSignals(cloud.place, testSystem);
    opened.push(signals);
    return signals;
  };
  signalsConformance(
    async (onPass) => {
      late = 0;
      await cloud.storage.purge();
      await cloud.makePassesQueue();
      const signals = open();
      // Whoever listens has been given its place before, as sync does.
      for (const bell of ["worker/w", "worker/other"] as const) await signals.grantWait(bell);
      return {
        ...signals,
        async requestPass(type) {
          await signals.requestPass(type);
          await cloud.runPasses(async (one) => onPass(one));
        },
      };
    },
    { ownBells: false },
  );

  const poll = async (url: string) => {
    const answer = await fetch(url);
    return { status: answer.status, text: await answer.text() };
  };

  test("a grant lets its holder wait at the queue, and for a quarter of an hour only", async () => {
    late = 0;
    const signals = open();
    const grant = await signals.grantWait("worker/granted");
    const waiting = poll(grant!.url);
    await signals.ring("worker/granted");
    expect(await waiting).toMatchObject({
      status: 200,
      text: expect.stringContaining("<Message>"),
    });
    await signals.ring("worker/granted");
    expect((await poll(grant!.url)).text).toContain("<MessageId>");
    expect((await poll(grant!.url.replace("ReceiveMessage", "PurgeQueue"))).status).toBe(403);
    late = grant!.expiresInSeconds + 120;
    expect((await poll(grant!.url)).status).toBe(403);
    late = 0;
  });

  test("a ring that is never deleted is given again, then forgotten", async () => {
    const signals = open();
    const grant = await signals.grantWait("worker/forgetful");
    await signals.ring("worker/forgetful");
    const id = /<MessageId>(.*?)</;
    const first = id.exec((await poll(grant!.url)).text)?.[1];
    late = 21;
    expect(id.exec((await poll(grant!.url)).text)?.[1]).toBe(first);
    late = 0;
  });

  test("removing a worker's queue takes away what waits there", async () => {
    const signals = open();
    const grant = await signals.grantWait("worker/removed");
    await signals.remove("worker/removed");
    expect((await poll(grant!.url)).status).toBe(400);
    expect(await signals.grantWait("worker/removed")).toBeUndefined();
    late = 61;
    expect(await signals.grantWait("worker/removed")).toBeDefined();
    late = 0;
  });

  test("a queue that another function removed is made again by who waits for it here", async () => {
    const signals = open();
    await signals.grantWait("worker/again");
    await open().remove("worker/again");
    late = 61;
    const listener = signals.listen("worker/again");
    const waiting = listener.rung(20_000);
    // The first poll finds no queue; rings are heard once it is there.
    let rung = false;
    void waiting.then(() => (rung = true));
    while (!rung) {
      await signals.ring("worker/again");
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    expect(await waiting).toBe(true);
    late = 0;
  });

  test("a ring or a request that SQS does not take is logged and lost, not an error", async () => {
    const signals = open();
    cloud.storage.faults.next({ service: "sqs", kind: "error500", times: 100 });
    messages.length = 0;
    await signals.ring("worker/w");
    await signals.requestPass("qemu");
    expect(await signals.grantWait("worker/never")).toBeUndefined();
    cloud.storage.faults.clear();
    expect(messages.join("\n")).toMatch(/cannot ring worker\/w[^]*cannot ask for a pass of qemu/);
  });
});

test("the secret of a lab is made once, however many ask at the same time", async () => {
  const place = await cloud.newLab();
  const engines = Array.from({ length: 5 }, () => openAwsEngine(place, testSystem));
  opened.push(...engines);
  const secrets = await Promise.all(engines.map((engine) => engine.secret()));
  expect(new Set(secrets).size).toBe(1);
  expect(secrets[0]).toMatch(/^[\w-]{43}$/);
});

/** `fetch` says itself how long a body is. */
const withoutLength = (headers: Record<string, string>) =>
  Object.fromEntries(Object.entries(headers).filter(([name]) => name !== "content-length"));
