import { describe, expect, test } from "vitest";
import { answerOf, requestOf, type HttpEvent } from "../../control-plane/lambda-event.ts";

const event = (rest: Partial<HttpEvent> = {}, method = "GET"): HttpEvent => ({
  rawPath: "/jobs",
  rawQueryString: "",
  headers: { host: "lab.example" },
  requestContext: { domainName: "lab.example", http: { method } },
  isBase64Encoded: false,
  ...rest,
});
const never = new AbortController().signal;

describe("an event", () => {
  test("is a request to the lab's address over HTTPS, with all of its query", () => {
    const { url, method } = requestOf(event({ rawQueryString: "a=1&a=2&b=%20x" }), never);
    expect([method, url]).toEqual(["GET", "https://lab.example/jobs?a=1&a=2&b=%20x"]);
  });

  test.each([
    ["//evil.example/x", "https://lab.example//evil.example/x"],
    ["/a?b#c d", "https://lab.example/a%3Fb%23c%20d"],
    ["/häng", "https://lab.example/h%C3%A4ng"],
  ])("with the path %s stays at the lab", (rawPath, url) => {
    expect(requestOf(event({ rawPath }), never).url).toBe(url);
  });

  test("has its cookies in one header", () => {
    const request = requestOf(event({ cookies: ["a=1", "b=2"] }), never);
    expect(request.headers.get("cookie")).toBe("a=1; b=2");
  });

  test("has a body of text or of bytes", async () => {
    const text = requestOf(event({ body: "grüß" }, "POST"), never);
    expect(await text.text()).toBe("grüß");
    const base64 = { body: "/wD+", isBase64Encoded: true };
    const bytes = await requestOf(event(base64, "PUT"), never).arrayBuffer();
    expect([...new Uint8Array(bytes)]).toEqual([255, 0, 254]);
  });

  test("of a GET has none, whatever came", () => {
    expect(requestOf(event({ body: "x" }), never).body).toBeNull();
  });

  test.each([
    [event({}, "TRACE")],
    [event({}, "no method")],
    [event({ headers: { "no header": "x" } })],
    [event({ headers: { x: "line\nbreak" } })],
  ])("that is no request is a TypeError", (bad) => {
    expect(() => requestOf(bad, never)).toThrow(TypeError);
  });

  test("ends its waiting by the signal", () => {
    const ending = new AbortController();
    const request = requestOf(event(), ending.signal);
    ending.abort();
    expect(request.signal.aborted).toBe(true);
  });
});

describe("an answer", () => {
  test("keeps status, headers and each cookie", async () => {
    const headers = new Headers({ "x-a": "1" });
    headers.append("set-cookie", "a=1; Path=/");
    headers.append("set-cookie", "b=2");
    const answer = await answerOf(new Response("grüß", { status: 201, headers }));
    expect(answer).toEqual({
      statusCode: 201,
      headers: { "x-a": "1", "content-type": "text/plain;charset=UTF-8" },
      cookies: ["a=1; Path=/", "b=2"],
      body: "grüß",
      isBase64Encoded: false,
    });
  });

  test("keeps a byte order mark, and is base64 when it is no text", async () => {
    expect((await answerOf(new Response("\uFEFFx"))).body).toBe("\uFEFFx");
    const bytes = new Uint8Array([0x1f, 0x8b, 8]);
    expect(await answerOf(new Response(bytes))).toMatchObject({
      body: "H4sI",
      isBase64Encoded: true,
    });
  });

  test("may be empty", async () => {
    const answer = await answerOf(new Response(null, { status: 204 }));
    expect(answer).toMatchObject({ statusCode: 204, body: "", isBase64Encoded: false });
  });

  test.each([
    ["text", "x".repeat(6_200_000), 200],
    ["text", "x".repeat(6_290_000), 413],
    ["text that JSON writes longer", '"'.repeat(3_200_000), 413],
    ["bytes", new Uint8Array(4_600_000).fill(0xff), 200],
    ["bytes", new Uint8Array(4_800_000).fill(0xff), 413],
  ])("of much %s is sent whole or refused whole", async (_, body, status) => {
    expect((await answerOf(new Response(body))).statusCode).toBe(status);
  });
});
