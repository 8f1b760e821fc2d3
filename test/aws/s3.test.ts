import { createHash } from "node:crypto";
import { request as httpRequest } from "node:http";
import { Readable } from "node:stream";
import {
  DeleteObjectCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  type PutObjectCommandInput,
  S3Client,
} from "@aws-sdk/client-s3";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { type S3AndSqs, startS3AndSqs } from "../support/aws/s3-and-sqs.ts";
import { signedUrl } from "../support/aws/signed-url.ts";
import { fc } from "../support/property.ts";

const START = Date.parse("2026-03-04T05:06:07Z");
let now = START;
let aws: S3AndSqs;
let s3: S3Client;

beforeAll(async () => {
  aws = await startS3AndSqs({ now: () => now, corsOrigins: ["http://lab.example"] });
  s3 = clientFor(aws.credentials);
});
afterEach(async () => {
  now = START;
  await aws.purge();
  aws.meter.reset();
});
afterAll(async () => {
  s3.destroy();
  await aws.close();
});

const silent = () => undefined;

const clientFor = (credentials: S3AndSqs["credentials"]) =>
  new S3Client({
    region: aws.region,
    endpoint: aws.s3Endpoint,
    credentials,
    forcePathStyle: true,
    systemClockOffset: START - Date.now(),
    maxAttempts: 1,
    logger: { trace: silent, debug: silent, info: silent, warn: silent, error: silent },
  });

const urlFor = async (method: string, headers: Record<string, string> = {}, query = "") =>
  await signedUrl(aws, {
    service: "s3",
    method,
    url: `${aws.s3Endpoint}/${aws.bucket}/jobs/1/log${query}`,
    headers,
    at: START,
  });

const put = async (url: string, body: string, headers: Record<string, string> = {}) =>
  await codeOf(await fetch(url, { method: "PUT", body, headers }));

async function codeOf(answer: Response): Promise<string> {
  const text = await answer.text();
  const code = /<Code>(.*?)<\/Code>/.exec(text)?.[1];
  return code === undefined ? String(answer.status) : `${answer.status} ${code}`;
}

const read = async (key: string) =>
  await (
    await s3.send(new GetObjectCommand({ Bucket: aws.bucket, Key: key }))
  ).Body?.transformToString();

describe("S3 by the SDK", () => {
  test("puts, gets, lists and deletes", async () => {
    await s3.send(new PutObjectCommand({ Bucket: aws.bucket, Key: "a b/é+!.gz", Body: "hello" }));
    expect(await read("a b/é+!.gz")).toBe("hello");
    const listed = await s3.send(new ListObjectsV2Command({ Bucket: aws.bucket, Prefix: "a b/" }));
    expect(listed.Contents?.map(({ Key }) => Key)).toEqual(["a b/é+!.gz"]);
    expect(aws.meter.read().storedBytes).toBe(5);
    await s3.send(new DeleteObjectCommand({ Bucket: aws.bucket, Key: "a b/é+!.gz" }));
    expect(aws.meter.read()).toMatchObject({
      s3: {
        PutObject: { calls: 1, errors: 0, bytesIn: 5 },
        GetObject: { calls: 1, bytesOut: 5 },
        ListObjectsV2: { calls: 1 },
        DeleteObject: { calls: 1 },
      },
      storedBytes: 0,
    });
  });

  test("puts a stream in chunks with its checksum behind", async () => {
    const body = Readable.from([Buffer.from("one"), Buffer.from("two")]);
    await s3.send(
      new PutObjectCommand({ Bucket: aws.bucket, Key: "s", Body: body, ContentLength: 6 }),
    );
    expect(await read("s")).toBe("onetwo");
  });

  test("puts nothing at all", async () => {
    await s3.send(
      new PutObjectCommand({ Bucket: aws.bucket, Key: "empty", Body: new Uint8Array() }),
    );
    expect(await read("empty")).toBe("");
  });

  test("refuses a wrong secret and a missing session token", async () => {
    const { sessionToken: _, ...tokenless } = aws.credentials;
    for (const [credentials, name] of [
      [{ ...aws.credentials, secretAccessKey: "wrong" }, "SignatureDoesNotMatch"],
      [tokenless, "InvalidAccessKeyId"],
      [{ ...aws.credentials, sessionToken: "wrong" }, "InvalidToken"],
    ] as const) {
      const client = clientFor(credentials);
      const attempt = client.send(new GetObjectCommand({ Bucket: aws.bucket, Key: "s" }));
      await expect(attempt).rejects.toMatchObject({ name });
      client.destroy();
    }
  });
});

describe("a body that was changed after the SDK signed it", () => {
  const putChanged = async (meant: NonNullable<PutObjectCommandInput["Body"]>, sent: string) => {
    const client = clientFor(aws.credentials);
    client.middlewareStack.add(
      (next) => async (call) => {
        Object.assign(call.request as object, { body: sent });
        return await next(call);
      },
      { step: "deserialize" },
    );
    const input = { Bucket: aws.bucket, Key: "k", Body: meant, ContentLength: 5 };
    const done = client.send(new PutObjectCommand(input));
    return await done.then(
      () => "done",
      (error: Error) => error.name,
    );
  };
  const chunks = (text: string, sum: string) =>
    `2\r\n${text.slice(0, 2)}\r\n3\r\n${text.slice(2)}\r\n0\r\nx-amz-checksum-crc32:${sum}\r\n\r\n`;

  test("whole: its hash was signed", async () => {
    expect(await putChanged("hello", "hello")).toBe("done");
    expect(await putChanged("hello", "hellO")).toBe("XAmzContentSHA256Mismatch");
  });

  test.each([
    ["done", chunks("hello", "NhCmhg==")],
    ["BadDigest", chunks("hellO", "NhCmhg==")],
    ["IncompleteBody", "2\r\nhe\r\n0\r\n\r\n"],
    ["IncompleteBody", "5\r\nhe"],
    ["IncompleteBody", "five\r\nhello\r\n0\r\n\r\n"],
  ])("in chunks: %s", async (outcome, sent) => {
    expect(await putChanged(Readable.from([Buffer.from("hello")]), sent)).toBe(outcome);
  });
});

describe("S3 by presigned URL", () => {
  test("takes an upload and gives it back, also to another origin's page", async () => {
    expect(await put(await urlFor("PUT"), "hello")).toBe("200");
    const answer = await fetch(await urlFor("GET"), { headers: { origin: "http://lab.example" } });
    expect(await answer.text()).toBe("hello");
    expect(answer.headers.get("access-control-allow-origin")).toBe("http://lab.example");
    const other = await fetch(await urlFor("GET"), { headers: { origin: "http://else.example" } });
    expect(other.headers.get("access-control-allow-origin")).toBeNull();
  });

  test("lets the pages of those origins ask beforehand, for reading alone", async () => {
    const ask = async (origin: string, method: string) =>
      await codeOf(
        await fetch(await urlFor(method), {
          method: "OPTIONS",
          headers: { origin, "access-control-request-method": method },
        }),
      );
    expect(await ask("http://lab.example", "GET")).toBe("200");
    expect(await ask("http://lab.example", "PUT")).toBe("403 AccessForbidden");
    expect(await ask("http://else.example", "GET")).toBe("403 AccessForbidden");
  });

  test("answers a download with the headers that its URL names, and a part of it", async () => {
    await put(await urlFor("PUT"), "hello");
    const query = "?response-content-type=text/plain&response-content-disposition=inline";
    const answer = await fetch(await urlFor("GET", {}, query), { headers: { range: "bytes=1-3" } });
    expect(answer.status).toBe(206);
    expect(await answer.text()).toBe("ell");
    expect(answer.headers.get("content-type")).toBe("text/plain");
    expect(answer.headers.get("content-disposition")).toBe("inline");
  });

  test("refuses any other request than the one signed", async () => {
    await put(await urlFor("PUT"), "hello");
    const url = await urlFor("GET");
    const first = url.indexOf("/jobs") + 1;
    const sameMeaning = (text: string) =>
      [...new URLSearchParams(text.split("?")[1])].join() + decodeURIComponent(text.split("?")[0]!);
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: first, max: url.length - 1 }),
        fc.constantFrom("0", "a", "A", "%", "&", "=", "+", "/", ".", "-", "_"),
        async (at, character) => {
          const changed = url.slice(0, at) + character + url.slice(at + 1);
          const { status } = await fetch(changed);
          if (status < 400) expect(sameMeaning(changed)).toBe(sameMeaning(url));
        },
      ),
      { numRuns: 200 },
    );
  });

  test("refuses another method, path, query or body of another length", async () => {
    const url = await urlFor("PUT", { "content-length": "5" });
    expect(await put(url, "hello")).toBe("200");
    const mismatch = "403 SignatureDoesNotMatch";
    expect(await put(url, "hello, world")).toBe(mismatch);
    expect(await codeOf(await fetch(url))).toBe(mismatch);
    expect(await put(url.replace("jobs/1", "jobs/2"), "hello")).toBe(mismatch);
    expect(await put(`${url}&versionId=1`, "hello")).toBe(mismatch);
    expect(await put(url.replace("Expires=900", "Expires=901"), "hello")).toBe(mismatch);
    expect(await put(url.replace("127.0.0.1", "localhost"), "hello")).toBe(mismatch);
  });

  test("lasts as long as it says", async () => {
    const url = await urlFor("PUT");
    now = START + 900_000;
    expect(await put(url, "hello")).toBe("200");
    now = START + 900_001;
    expect(await put(url, "hello")).toBe("403 AccessDenied");
    now = START - 900_001;
    expect(await put(url, "hello")).toBe("403 AccessDenied");
  });

  test("refuses nobody's requests and unsigned x-amz headers", async () => {
    const bare = (await urlFor("PUT")).replace(/\?.*/, "");
    expect(await put(bare, "hello")).toBe("403 AccessDenied");
    expect(await codeOf(await fetch(bare))).toBe("403 AccessDenied");
    const url = await urlFor("PUT");
    expect(await put(url, "hello", { "x-amz-meta-a": "b" })).toBe("403 AccessDenied");
  });

  test.each([
    ["x-amz-checksum-sha256", createHash("sha256").update("hello").digest("base64")],
    ["x-amz-checksum-crc32", "NhCmhg=="],
    ["content-md5", createHash("md5").update("hello").digest("base64")],
  ])("holds the body against %s", async (name, sum) => {
    const url = await urlFor("PUT", { [name]: sum });
    expect(await put(url, "hello", { [name]: sum })).toBe("200");
    expect(await put(url, "hellO", { [name]: sum })).toBe("400 BadDigest");
    expect(await put(url, "hello")).toBe("403 SignatureDoesNotMatch");
    const other = Buffer.from(sum, "base64").reverse().toString("base64");
    expect(await put(url, "hello", { [name]: other })).toBe("403 SignatureDoesNotMatch");
  });

  test("writes only what isn't there with If-None-Match, however many try at once", async () => {
    const condition = { "if-none-match": "*" };
    const url = await urlFor("PUT", condition);
    const codes = await Promise.all(
      Array.from({ length: 20 }, (_, n) => put(url, `${n}`, condition)),
    );
    expect(codes.filter((code) => code === "200")).toHaveLength(1);
    expect(codes.filter((code) => code === "412 PreconditionFailed")).toHaveLength(19);
  });

  test("refuses a body over its limit and an upload without a length", async () => {
    const small = await startS3AndSqs({ now: () => now, maxBodyBytes: 4 });
    try {
      const target = `${small.s3Endpoint}/${small.bucket}/k`;
      const asked = { service: "s3", method: "PUT", url: target, at: START } as const;
      const url = await signedUrl(small, asked);
      expect(await put(url, "four")).toBe("200");
      expect(await put(url, "five5")).toBe("400 EntityTooLarge");
      expect(await putWithoutLength(url)).toBe(411);
    } finally {
      await small.close();
    }
  });
});

async function putWithoutLength(url: string): Promise<number | undefined> {
  return await new Promise((resolve, reject) => {
    const request = httpRequest(url, { method: "PUT" }, (answer) => {
      answer.resume().on("end", () => resolve(answer.statusCode));
    });
    request.on("error", reject);
    request.write("a");
    request.end("b");
  });
}

describe("faults", () => {
  test("throttle, break, cut off before and after, as often as planned", async () => {
    const url = await urlFor("PUT");
    const there = async () => (await fetch(await urlFor("HEAD"), { method: "HEAD" })).status;
    const plan = { service: "s3", operation: "PutObject", times: 1 } as const;
    for (const kind of ["throttle", "error500", "reset", "lostAnswer"] as const) {
      aws.faults.next({ ...plan, kind });
    }
    expect(await put(url, "a")).toBe("503 SlowDown");
    expect(await put(url, "a")).toBe("500 InternalError");
    await expect(put(url, "a")).rejects.toThrow("fetch failed");
    expect(await there()).toBe(404);
    await expect(put(url, "a")).rejects.toThrow("fetch failed");
    expect(await there()).toBe(200);
    expect(aws.faults.pending()).toBe(0);
    expect(await put(url, "a")).toBe("200");
  });
});
