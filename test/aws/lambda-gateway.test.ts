import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import http from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { CreateQueueCommand, SendMessageCommand, SQSClient } from "@aws-sdk/client-sqs";
import { afterEach, describe, expect, test } from "vitest";
import { startS3AndSqs } from "../support/aws/s3-and-sqs.ts";
import { startLambda, type Gateway, type LambdaOptions } from "../support/lambda/gateway.ts";

const bundleFolder = path.resolve(import.meta.dirname, "../support/lambda/sample");
const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function gateway(
  http: { timeoutMs?: number; maxEnvironments?: number; handler?: string } = {},
  rest: Partial<LambdaOptions> = {},
): Promise<Gateway> {
  const started = await startLambda({
    bundleFolder,
    functions: {
      http: { handler: "sample.handler", ...http },
      schedule: { handler: "sample.batch" },
      tick: { handler: "sample.clock" },
    },
    ...rest,
  });
  closers.push(() => started.close());
  return started;
}

interface Event {
  rawPath: string;
  rawQueryString: string;
  cookies: string[];
  headers: Record<string, string>;
  body: string;
  isBase64Encoded: boolean;
  requestContext: { http: { method: string }; domainName: string };
}

describe("requests", () => {
  test("become events of payload format 2.0", async () => {
    const { url } = await gateway();
    const answer = await fetch(`${url}/echo?b=2&a=%20x&b=3`, {
      method: "POST",
      headers: { "X-Two": "1", cookie: "c=1; d=2", "content-type": "application/json" },
      body: '{"ü":1}',
    });
    const event = (await answer.json()) as Event;
    expect(event).toMatchObject({
      version: "2.0",
      rawPath: "/echo",
      rawQueryString: "b=2&a=%20x&b=3",
      queryStringParameters: { a: " x", b: "2,3" },
      cookies: ["c=1", "d=2"],
      body: '{"ü":1}',
      isBase64Encoded: false,
      requestContext: { http: { method: "POST" }, domainName: new URL(url).host },
    });
    expect(event.headers).toMatchObject({ "x-two": "1", "x-forwarded-proto": "https" });
    expect(event.headers).not.toHaveProperty("cookie");
  });

  test("carry bytes there and back", async () => {
    const { url } = await gateway();
    const bytes = Uint8Array.from({ length: 256 }, (_, n) => n);
    const answer = await fetch(`${url}/binary`, {
      method: "PUT",
      headers: { "content-type": "application/gzip" },
      body: bytes,
    });
    expect(new Uint8Array(await answer.arrayBuffer())).toEqual(bytes);
    expect(answer.headers.get("content-type")).toBe("application/octet-stream");
  });

  test("are answered with cookies, each in a header of its own", async () => {
    const { url } = await gateway();
    const answer = await fetch(`${url}/cookies`);
    expect(answer.status).toBe(204);
    expect(answer.headers.getSetCookie()).toEqual(["a=1; Path=/", "b=2"]);
    expect(answer.headers.get("x-a")).toBe("1");
  });

  test("that are too long are refused before the function sees them", async () => {
    const { url, meter } = await gateway();
    const answer = await fetch(`${url}/echo`, { method: "POST", body: Buffer.alloc(5_000_000) });
    expect(answer.status).toBe(413);
    expect(meter.read()["http"]?.invocations).toBe(0);
  });

  test("have a decoded path from an HTTP API, a raw one from a function URL", async () => {
    const api = await gateway();
    expect((await fetch(`${api.url}/%65cho`)).status).toBe(200);
    expect((await fetch(`${api.url}/%zz`)).status).toBe(400);
    const direct = await gateway({}, { kind: "function-url" });
    expect((await fetch(`${direct.url}/%65cho`)).status).toBe(502);
  });
});

describe("a function that fails", () => {
  test.each(["/throw", "/long", "/exit", "/nonsense"])("at %s is a 500", async (where) => {
    const { url } = await gateway();
    const answer = await fetch(`${url}${where}`);
    expect(answer.status).toBe(500);
    expect(await answer.json()).toEqual({ message: "Internal Server Error" });
    expect((await fetch(`${url}/calls`)).status).toBe(200);
  });

  test("at a function URL is a 502", async () => {
    const { url } = await gateway({}, { kind: "function-url" });
    expect((await fetch(`${url}/throw`)).status).toBe(502);
  });

  test("while it is loaded says why, to each caller", async () => {
    const lambda = await gateway({ handler: "broken.handler" });
    expect((await fetch(lambda.url)).status).toBe(500);
    await expect(lambda.invoke("http", {})).rejects.toThrow("a broken bundle");
    expect(lambda.meter.read()["http"]).toMatchObject({ invocations: 2, errors: 2, coldStarts: 2 });
  });

  test("by taking too long is ended, and the next call starts cold", async () => {
    const lambda = await gateway({ timeoutMs: 300 });
    await expect(lambda.invoke("http", { rawPath: "/hang" })).rejects.toThrow(
      "timed out after 0.30",
    );
    await expect(lambda.invoke("http", { rawPath: "/calls" })).resolves.toContain('\\"calls\\":1');
    expect(lambda.meter.read()["http"]).toMatchObject({ coldStarts: 2, errors: 1 });
  });

  test("to answer in the front's time is a 503, and goes on alone", async () => {
    const { url } = await gateway({ timeoutMs: 60_000 }, { frontWaitMs: 50 });
    expect((await fetch(`${url}/hang`)).status).toBe(503);
  });

  test("because it was killed in a call fails that call only", async () => {
    const arrived = await meeting(1);
    const lambda = await gateway({}, { env: { MEETING: arrived.url } });
    const lost = fetch(`${lambda.url}/meet`);
    await arrived.met;
    expect(lambda.kill("http")).toBe(1);
    expect((await lost).status).toBe(500);
    expect((await fetch(`${lambda.url}/calls`)).status).toBe(200);
    expect(lambda.meter.read()["http"]).toMatchObject({ invocations: 2, errors: 1, coldStarts: 2 });
  });
});

describe("environments", () => {
  test("take one call after the other and keep what they know", async () => {
    const { url, meter } = await gateway();
    const first = (await (await fetch(`${url}/calls`)).json()) as { pid: number };
    expect(await (await fetch(`${url}/calls`)).json()).toEqual({ calls: 2, pid: first.pid });
    const { http } = meter.read();
    expect(http).toMatchObject({ invocations: 2, coldStarts: 1, memoryMb: 512 });
    expect(http!.billedMs).toBeGreaterThanOrEqual(2);
    expect(http!.initMs).toBeGreaterThan(0);
  });

  test("are as many as there are calls at a time", async () => {
    const two = await meeting(2);
    const { url, meter } = await gateway({}, { env: { MEETING: two.url } });
    const both = [fetch(`${url}/meet`), fetch(`${url}/meet`)];
    await two.met;
    two.letGo();
    expect((await Promise.all(both)).map(({ status }) => status)).toEqual([200, 200]);
    expect(meter.read()["http"]?.coldStarts).toBe(2);
  });

  test("are no more than allowed: calls wait for one", async () => {
    const { url, meter } = await gateway({ maxEnvironments: 1 });
    const all = await Promise.all([1, 2, 3, 4].map(() => fetch(`${url}/calls`)));
    const answers = await Promise.all(all.map((one) => one.json() as Promise<{ calls: number }>));
    expect(new Set(answers.map(({ calls }) => calls))).toEqual(new Set([1, 2, 3, 4]));
    expect(meter.read()["http"]?.coldStarts).toBe(1);
  });

  test("start anew after they were recycled", async () => {
    const lambda = await gateway();
    await fetch(`${lambda.url}/calls`);
    await lambda.recycle();
    expect(await (await fetch(`${lambda.url}/calls`)).json()).toMatchObject({ calls: 1 });
  });

  test("run what was deployed last, whatever becomes of the folder that it came from", async () => {
    const folder = await mkdtemp(path.join(tmpdir(), "pumice-bundle-"));
    closers.push(() => rm(folder, { recursive: true }));
    const put = (answer: string) =>
      writeFile(
        path.join(folder, "sample.mjs"),
        `export const handler = async () => ({ statusCode: 200, body: "${answer}" });`,
      );
    await put("old");
    const lambda = await gateway({}, { bundleFolder: folder });
    await put("new");
    const body = async () => (await fetch(lambda.url)).text();
    expect(await body()).toBe("old");
    await lambda.deploy(folder);
    expect(await body()).toBe("new");
  });

  test("see only the function's own variables, and what they write is kept", async () => {
    const { url, lines } = await gateway({}, { env: { PUMICE_TABLE: "lab" } });
    const env = (await (await fetch(`${url}/env`)).json()) as Record<string, string>;
    expect(env).toMatchObject({ PUMICE_TABLE: "lab", _HANDLER: "sample.handler", TZ: ":UTC" });
    expect(env).not.toHaveProperty("HOME");
    await fetch(`${url}/log`);
    await expect.poll(() => lines).toContain("written to the log");
  });
});

describe("other events", () => {
  test("come from the clock", async () => {
    const lambda = await gateway();
    await lambda.tick();
    await expect.poll(() => lambda.lines).toContain("tick aws.events");
  });

  test("come from a FIFO queue, are deleted when they are done and come again when they failed", async () => {
    const storage = await startS3AndSqs();
    closers.push(() => storage.close());
    const { region, credentials, sqsEndpoint: endpoint } = storage;
    const sqs = new SQSClient({ region, credentials, endpoint });
    closers.push(async () => sqs.destroy());
    const { QueueUrl: url = "" } = await sqs.send(
      new CreateQueueCommand({
        QueueName: "passes.fifo",
        Attributes: { FifoQueue: "true", VisibilityTimeout: "1" },
      }),
    );
    const send = (body: string) =>
      sqs.send(
        new SendMessageCommand({
          QueueUrl: url,
          MessageBody: body,
          MessageGroupId: body,
          MessageDeduplicationId: body,
        }),
      );
    await Promise.all([send("good"), send("fail")]);
    const passesQueue = { url, region, endpoint, credentials };
    const { lines } = await gateway({}, { passesQueue });
    const times = (word: string): number =>
      lines.filter((line) => line.startsWith("batch") && line.includes(word)).length;
    await expect.poll(() => times("fail"), { timeout: 20_000 }).toBeGreaterThan(1);
    expect(times("good")).toBe(1);
    await send("throw");
    await expect.poll(() => times("throw"), { timeout: 20_000 }).toBeGreaterThan(1);
  });
});

/** A server where calls wait: `met` when so many have come, answered after `letGo`. */
async function meeting(guests: number) {
  const here: http.ServerResponse[] = [];
  let all!: () => void;
  const met = new Promise<void>((resolve) => (all = resolve));
  const server = http.createServer((_, response) => {
    here.push(response);
    if (here.length === guests) all();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  closers.push(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    met,
    letGo: () => here.splice(0).forEach((response) => response.end("hello")),
  };
}
