import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import type { Blobs, SignedRequest } from "../../control-plane/ports/blobs.ts";

export interface BlobsUnderTest {
  blobs: Blobs;
  /** Makes a signed request as a client does; `url` may be changed by the test. */
  send: (
    request: SignedRequest,
    body?: Uint8Array,
  ) => Promise<{ status: number; body: Uint8Array; headers: Headers }>;
  /** Lets time pass. */
  pass: (seconds: number) => void;
}

const bytes = (text: string) => new TextEncoder().encode(text);
const sha256 = (body: Uint8Array) => createHash("sha256").update(body).digest("hex");

/** What every engine's blobs must do. */
export function blobsConformance(make: () => Promise<BlobsUnderTest>): void {
  const put = (blobs: Blobs, key: string, body: Uint8Array) =>
    blobs.signPut({
      key,
      sizeBytes: body.length,
      sha256: sha256(body),
      expiresInSeconds: 60,
    });

  test("a blob is read back as it was put, and put again replaces it", async () => {
    const { blobs } = await make();
    const body = Uint8Array.from({ length: 256 }, (_, n) => n);
    await blobs.put("jobs/1/definition.yaml", body);
    expect(Buffer.from((await blobs.get("jobs/1/definition.yaml"))!)).toEqual(Buffer.from(body));
    expect(await blobs.sizeBytes("jobs/1/definition.yaml")).toBe(256);
    await blobs.put("jobs/1/definition.yaml", bytes("new"));
    expect(await blobs.sizeBytes("jobs/1/definition.yaml")).toBe(3);
  });

  test("a blob that is not there is undefined", async () => {
    const { blobs } = await make();
    expect(await blobs.get("none")).toBeUndefined();
    expect(await blobs.get("none/below")).toBeUndefined();
    expect(await blobs.sizeBytes("none")).toBeUndefined();
  });

  test.each([
    "../x",
    "a/../../x",
    "/etc/passwd",
    "a//b",
    ".hidden",
    "a/.b",
    "",
    "a\\b",
    "a\0",
    "ä",
  ])("no key leads out of the store: %j", async (key) => {
    const { blobs } = await make();
    await expect(blobs.put(key, bytes("x"))).rejects.toThrow(/key/);
    await expect(blobs.get(key)).rejects.toThrow(/key/);
    await expect(blobs.signGet(key, 60)).rejects.toThrow(/key/);
  });

  test("a signed PUT stores exactly the bytes that were announced", async () => {
    const { blobs, send } = await make();
    const body = bytes("a log chunk");
    const request = await put(blobs, "jobs/1/log/0", body);
    expect((await send(request, body)).status).toBe(200);
    expect(Buffer.from((await blobs.get("jobs/1/log/0"))!)).toEqual(Buffer.from(body));
    expect((await send(request, body)).status).toBe(200);
  });

  test.each([
    ["more bytes", "a log chunk and more"],
    ["fewer bytes", "a log"],
    ["other bytes", "a log chunX"],
  ])("a signed PUT of %s is refused and leaves nothing", async (_, sent) => {
    const { blobs, send } = await make();
    const request = await put(blobs, "jobs/1/log/0", bytes("a log chunk"));
    expect([400, 403]).toContain((await send(request, bytes(sent))).status);
    expect(await blobs.get("jobs/1/log/0")).toBeUndefined();
  });

  test("a signed URL is good for its key, its method and its time only", async () => {
    const { blobs, send, pass } = await make();
    const body = bytes("x");
    await blobs.put("a/1", body);
    await blobs.put("a/2", body);
    const get = await blobs.signGet("a/1", 60);
    expect(Buffer.from((await send(get)).body)).toEqual(Buffer.from(body));
    expect((await send({ ...get, url: get.url.replace("a/1", "a/2") })).status).toBe(403);
    expect((await send({ ...get, method: "PUT" }, body)).status).toBe(403);
    const write = await put(blobs, "a/3", body);
    expect((await send({ ...write, method: "GET" })).status).toBe(403);
    const forged = write.url.replace(/signature=.{8}/i, "signature=00000000");
    expect((await send({ ...write, url: forged }, body)).status).toBe(403);
    pass(61);
    expect((await send(get)).status).toBe(403);
    expect((await send(write, body)).status).toBe(403);
  });

  test("a signed GET of a blob that is gone says so", async () => {
    const { blobs, send } = await make();
    expect((await send(await blobs.signGet("a/1", 60))).status).toBe(404);
  });

  test("a part of a blob is sent to who asks for it", async () => {
    const { blobs, send } = await make();
    await blobs.put("a/1", bytes("0123456789"));
    const get = await blobs.signGet("a/1", 60);
    const part = async (range: string) => {
      const { status, body, headers } = await send({ ...get, headers: { ...get.headers, range } });
      return [status, new TextDecoder().decode(body), headers.get("content-range")];
    };
    expect(await part("bytes=4-")).toEqual([206, "456789", "bytes 4-9/10"]);
    expect(await part("bytes=0-3")).toEqual([206, "0123", "bytes 0-3/10"]);
    expect(await part("bytes=-2")).toEqual([206, "89", "bytes 8-9/10"]);
    expect((await part("bytes=10-"))[0]).toBe(416);
  });

  test("a blob that is removed is gone; removing it again does nothing", async () => {
    const { blobs } = await make();
    await blobs.put("a/1", bytes("x"));
    await blobs.remove("a/1");
    await blobs.remove("a/1");
    expect(await blobs.sizeBytes("a/1")).toBeUndefined();
    await expect(blobs.remove("../x")).rejects.toThrow(/key/);
  });
}
