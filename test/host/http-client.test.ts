import { once } from "node:events";
import { createServer, type RequestListener, type Server } from "node:http";
import { createServer as createSecureServer } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { HttpClient, HttpError } from "../../worker/host/http-client.ts";
import { freePort } from "../support/loopback-ports.ts";
import { makeAuthority } from "../support/certificates.ts";

let server: Server;
let answer: RequestListener;
let origin: string;
const sockets = new Set<Socket>();
beforeEach(async () => {
  server = createServer((request, response) => answer(request, response));
  server.on("connection", (socket) => sockets.add(socket));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterEach(async () => {
  server.close();
  server.closeAllConnections();
  await once(server, "close");
  sockets.clear();
});

const get = { method: "GET", url: "x", timeoutMs: 10_000 } as const;
const failure = (promise: Promise<unknown>): Promise<HttpError> =>
  promise.then(
    () => Promise.reject(new Error("it succeeded")),
    (error: unknown) => error as HttpError,
  );

describe("a request", () => {
  test("goes below the base's path, with the token, and reads JSON", async () => {
    answer = (request, response) =>
      response.end(JSON.stringify([request.url, request.headers.authorization]));
    const client = new HttpClient(`${origin}/pumice`);
    expect(await client.request({ ...get, url: "/api/v1/x?a=1", token: "t" })).toEqual([
      "/pumice/api/v1/x?a=1",
      "Bearer t",
    ]);
    client.close();
  });

  test("to an absolute URL carries no token", async () => {
    answer = (request, response) =>
      response.end(JSON.stringify(request.headers.authorization ?? "none"));
    const client = new HttpClient("http://elsewhere.invalid/");
    expect(await client.request({ ...get, url: `${origin}/x`, token: "t" })).toBe("none");
    client.close();
  });

  test("sends JSON or bytes with their length", async () => {
    answer = (request, response) => {
      let body = "";
      request.on("data", (part) => (body += String(part)));
      request.on("end", () =>
        response.end(JSON.stringify([body, request.headers["content-length"]])),
      );
    };
    const client = new HttpClient(origin);
    expect(await client.request({ ...get, method: "POST", json: { a: "ä" } })).toEqual([
      '{"a":"ä"}',
      "10",
    ]);
    const bytes = Buffer.from("abc");
    expect(await client.request({ ...get, method: "PUT", bytes })).toEqual(["abc", "3"]);
    client.close();
  });

  test("uses one connection for many, and another when that was closed meanwhile", async () => {
    answer = (_, response) => response.end("{}");
    const client = new HttpClient(origin);
    await client.request(get);
    await client.request(get);
    expect(sockets.size).toBe(1);
    for (const socket of sockets) socket.resetAndDestroy();
    expect(await client.request(get)).toEqual({});
    client.close();
  });
});

test("without settings of its own a client goes straight, and trusts whom this process trusts", async () => {
  const authority = makeAuthority();
  const secure = createSecureServer(authority.issue(["DNS:localhost"]), (_, response) => {
    response.end('"hello"');
  });
  secure.listen(0, "127.0.0.1");
  await once(secure, "listening");
  vi.stubEnv("PUMICE_CA_FILE", authority.file);
  vi.stubEnv("HTTPS_PROXY", "http://proxy.invalid:3128");
  const client = new HttpClient(`https://localhost:${(secure.address() as AddressInfo).port}`);
  expect(await client.request(get)).toBe("hello");
  client.close();
  vi.stubEnv("HTTP_PROXY", origin);
  const elsewhere = new HttpClient("http://switch.invalid");
  expect((await failure(elsewhere.request(get))).message).toMatch(/ENOTFOUND|EAI_AGAIN/);
  vi.unstubAllEnvs();
  secure.closeAllConnections();
  secure.close();
  authority.remove();
});

describe("a failure", () => {
  test.each([
    [400, { message: "no such thing" }, "400 no such thing"],
    [503, undefined, "503"],
  ])("of status %i names request and reason", async (status, body, text) => {
    answer = (_, response) =>
      response
        .writeHead(status, { "retry-after": "7" })
        .end(body === undefined ? "" : JSON.stringify(body));
    const client = new HttpClient(origin);
    const error = await failure(client.request(get));
    expect(error).toBeInstanceOf(HttpError);
    expect(error.message).toBe(`GET ${origin}/x: ${text}`);
    expect(error).toMatchObject({ status, retryAfterSeconds: 7 });
    expect(error.body).toEqual(body);
    client.close();
  });

  test("names the proxy that it is one of", async () => {
    const HTTP_PROXY = `http://jo:secret@127.0.0.1:${await freePort()}`;
    const client = new HttpClient("http://lab.invalid", { env: { HTTP_PROXY } });
    const { message } = await failure(client.request(get));
    const proxy = `proxy ${HTTP_PROXY.replace("jo:secret@", "")} (HTTP_PROXY)`;
    expect(message).toMatch(`GET http://lab.invalid/x by ${proxy}: ECONNREFUSED, nobody listens`);
    client.close();
  });

  test("tells where a redirect leads instead of following it", async () => {
    answer = (_, response) => response.writeHead(301, { location: "https://lab.test/" }).end();
    const client = new HttpClient(origin);
    expect((await failure(client.request(get))).message).toContain(
      "redirected to https://lab.test/",
    );
    client.close();
  });

  test.each([
    ["isn't JSON", "<html>", /expected JSON, is this a control plane\?/],
    ["is too long", JSON.stringify("x".repeat(2000)), /longer than 1000 bytes/],
  ])("is an answer that %s", async (_, text, message) => {
    answer = (_request, response) => response.end(text);
    const client = new HttpClient(origin);
    const error = await failure(client.request({ ...get, maxAnswerBytes: 1000 }));
    expect(error).toMatchObject({ status: 0, message: expect.stringMatching(message) });
    client.close();
  });

  test("is an answer that breaks off", async () => {
    answer = (request, response) => {
      response.writeHead(200, { "content-length": "100" }).write("{");
      setImmediate(() => request.socket.destroy());
    };
    const client = new HttpClient(origin);
    expect(await failure(client.request(get))).toMatchObject({ name: "HttpError", status: 0 });
    client.close();
  });

  test("is a server that never answers", async () => {
    answer = () => {};
    const client = new HttpClient(origin);
    const error = await failure(client.request({ ...get, timeoutMs: 30 }));
    expect(error).toMatchObject({
      status: 0,
      message: expect.stringContaining("no answer within"),
    });
    client.close();
  });

  test("is a refused connection", async () => {
    const client = new HttpClient("http://127.0.0.1:1/");
    expect((await failure(client.request(get))).message).toContain("ECONNREFUSED");
    client.close();
  });

  test("that one asks for by the signal has the signal's reason", async () => {
    answer = () => stop.abort(new Error("enough"));
    const stop = new AbortController();
    const client = new HttpClient(origin);
    const running = client.request({ ...get, signal: stop.signal });
    await expect(running).rejects.toThrow("enough");
    await expect(client.request({ ...get, signal: stop.signal })).rejects.toThrow("enough");
    client.close();
  });

  test.each(["ftp://x/", "lab.test"])("is a base like %s", (base) => {
    expect(() => new HttpClient(base)).toThrow(/begins with http:|Invalid URL/);
  });
});
