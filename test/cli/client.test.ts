import { once } from "node:events";
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, expect, test } from "vitest";
import { makeClient, type ClientOptions } from "../../control-plane/cli/client.ts";

let server: Server;
let asked: string[];
afterEach(() => {
  server.closeAllConnections();
  server.close();
});

/** A far side that does with each request what the list says, the last for all that follow. */
async function farSide(
  listeners: RequestListener[],
  options: Partial<ClientOptions> = {},
): Promise<ReturnType<typeof makeClient>> {
  asked = [];
  server = createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`);
    listeners[Math.min(asked.length, listeners.length) - 1]?.(request, response);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const { signal } = new AbortController();
  const url = `http://127.0.0.1:${port}/`;
  return makeClient({ url, token: "t", signal, patienceMs: 10_000, pauseMs: 1, ...options });
}

const answer =
  (status: number, body: unknown): RequestListener =>
  (_, response) => {
    response.writeHead(status, { "content-type": "application/json" });
    response.end(typeof body === "string" ? body : JSON.stringify(body));
  };
const hangUp: RequestListener = (request) => void request.socket.destroy();
const breakOff: RequestListener = (request, response) => {
  response.writeHead(200, { "content-length": 1000 });
  response.write("{", () => request.socket.destroy());
};

test.each([
  ["a lost connection", hangUp],
  ["an answer that breaks off", breakOff],
  ["a proxy without its server", answer(502, "<html>bad gateway</html>")],
  ["a server that is just starting", answer(503, { code: "unavailable", message: "later" })],
  ["a function that died", answer(500, { message: "Internal Server Error" })],
])("what may be repeated is repeated after %s", async (_, fault) => {
  const said: string[] = [];
  const client = await farSide([fault, answer(200, { jobs: [] })], {
    onRetry: (why) => said.push(why),
  });
  expect(await client.json("GET", "/jobs")).toEqual({ jobs: [] });
  expect(asked).toEqual(["GET /api/v1/jobs", "GET /api/v1/jobs"]);
  expect(said).toHaveLength(1);
});

test("a submission is never sent twice, and the doubt is told", async () => {
  const client = await farSide([hangUp, answer(201, { job_ids: [1], warnings: [] })]);
  await expect(client.send("POST", "/jobs", "job_name: a\n")).rejects.toThrow(/may have been done/);
  expect(asked).toEqual(["POST /api/v1/jobs"]);
});

test("a submission that no connection was made for is not said to be done", async () => {
  const client = await farSide([], { url: "http://127.0.0.1:22" });
  const refused = client.send("POST", "/jobs", "job_name: a\n");
  await expect(refused).rejects.toThrow(/another protocol[^;]*\(bad port\); expected [^;]*$/);
});

test("a submission that a proxy refused is not sent again either", async () => {
  const client = await farSide([answer(503, { code: "unavailable", message: "later" })]);
  await expect(client.send("POST", "/jobs", "job_name: a\n")).rejects.toThrow("later");
  expect(asked).toHaveLength(1);
});

test("a refusal is told in the control plane's words, and not tried again", async () => {
  const problem = { code: "not_found", message: "there is no job 9" };
  const client = await farSide([answer(404, problem)]);
  await expect(client.json("GET", "/jobs/9")).rejects.toMatchObject({
    message: "there is no job 9",
    status: 404,
    problem,
  });
  expect(asked).toHaveLength(1);
});

test("a wrong token is named as the likely cause", async () => {
  const client = await farSide([answer(401, { code: "unauthenticated", message: "no" })]);
  await expect(client.json("GET", "/jobs")).rejects.toThrow("no (is the token right");
});

test("another program at the address is told from a control plane", async () => {
  const client = await farSide([answer(200, "<html>Welcome</html>")]);
  await expect(client.json("GET", "/jobs")).rejects.toThrow("is no Pumice control plane");
});

test("patience ends", async () => {
  const client = await farSide([hangUp], { patienceMs: 0 });
  await expect(client.json("GET", "/jobs")).rejects.toThrow(/can't be reached/);
  expect(asked).toHaveLength(1);
});

test("an interrupt ends a request that hangs", async () => {
  const stop = new AbortController();
  const client = await farSide([() => stop.abort()], { signal: stop.signal });
  await expect(client.json("GET", "/jobs")).rejects.toMatchObject({ name: "AbortError" });
});
