import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { groupOfJob } from "../../worker/host/group-of-job.ts";
import type { CallOptions, Group } from "../../worker/pipeline/group.ts";
import { JobFailure } from "../../worker/pipeline/job-failure.ts";

interface Asked {
  readonly path: string;
  readonly token: string | undefined;
  readonly body: Record<string, unknown>;
}
/** `drop`: the connection is closed without an answer. */
type Reply = "drop" | "page" | { status?: number; json: unknown };

const servers: Server[] = [];
const ways: { close: () => void }[] = [];
afterEach(async () => {
  for (const way of ways.splice(0)) way.close();
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
});

/** A control plane that gives these answers in turn, the last one again and again. */
async function plane(...replies: Reply[]): Promise<{ group: Group; asked: Asked[] }> {
  const asked: Asked[] = [];
  const server = createServer(async (request, response) => {
    asked.push({
      path: request.url ?? "",
      token: request.headers.authorization,
      body: await bodyOf(request),
    });
    const reply = replies.length > 1 ? replies.shift() : replies[0];
    if (reply === "drop" || reply === undefined) return void request.socket.destroy();
    const isPage = reply === "page";
    response.writeHead(isPage ? 403 : (reply.status ?? 200), {
      "content-type": isPage ? "text/html" : "application/json",
    });
    response.end(isPage ? "<h1>Forbidden by the proxy</h1>" : JSON.stringify(reply.json));
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/lab`;
  const way = groupOfJob({ job_id: 7, token: "job-token" }, { PUMICE_URL: url });
  if (!way) throw new Error("no way to the control plane");
  ways.push(way);
  return { group: way.group, asked };
}

async function bodyOf(request: IncomingMessage): Promise<Record<string, unknown>> {
  let text = "";
  for await (const part of request as AsyncIterable<Buffer>) text += String(part);
  return JSON.parse(text) as Record<string, unknown>;
}

const warnings: string[] = [];
const log = { debug: () => {}, warning: (text: string) => void warnings.push(text) };
const within = (timeoutSeconds = 30): CallOptions => ({
  timeoutSeconds,
  signal: new AbortController().signal,
  log,
});
const acked = { json: { response: "ack", data: {} } };
const wait = { json: { response: "wait" } };

describe("a runner's way to its group", () => {
  test("asks with the job's token below the agent's URL, and counts its calls", async () => {
    const { group, asked } = await plane({ json: { response: "ack", data: { "8": { k: "v" } } } });
    const data = new Map([["a", "b c"]]);
    await group.call({ op: "send", id: "m", data }, within());
    const answer = await group.call({ op: "wait", id: "m" }, within());
    await group.call({ op: "wait-all", id: "m", role: "server" }, within());
    await group.finish(within());
    expect(answer).toEqual({ kind: "ack", data: new Map([["8", new Map([["k", "v"]])]]) });
    expect(asked[0]?.token).toBe("Bearer job-token");
    expect(asked.map(({ path }) => path)).toEqual(
      ["send", "wait", "wait-all", "finish"].map((op) => `/lab/api/v1/jobs/7/multinode/${op}`),
    );
    expect(asked.map(({ body }) => body)).toEqual([
      { message_id: "m", data: { a: "b c" }, call: 1 },
      { message_id: "m", call: 2, hold_seconds: 20 },
      { message_id: "m", role: "server", call: 3, hold_seconds: 20 },
      {},
    ]);
  });

  test("asks again by the same number as long as it is to wait, and keeps the roles", async () => {
    const roles = { "7": "client", "8": "server" };
    const { group, asked } = await plane(wait, wait, { json: { response: "group_data", roles } });
    expect(await group.start(within())).toBe("started");
    expect(group.roles).toEqual(new Map(Object.entries(roles)));
    expect(asked).toHaveLength(3);
    const syncs = await plane(wait, "drop", wait, { json: { response: "ack" } });
    await syncs.group.call({ op: "sync", id: "s" }, within());
    expect(syncs.asked.map(({ body }) => body["call"])).toEqual([1, 1, 1, 1]);
  });

  test("does not ask sooner than it is told to where answers are not held back", async () => {
    const { group, asked } = await plane({ json: { response: "wait", poll_seconds: 60 } });
    expect(await group.call({ op: "wait", id: "m" }, within(0.3))).toEqual({ kind: "timeout" });
    // Once when it begins, and once more at the end.
    expect(asked.map(({ body }) => body["call"])).toEqual([1, 1]);
    const meanwhile = await plane({ json: { response: "wait", poll_seconds: 60 } }, acked);
    const answer = await meanwhile.group.call({ op: "wait", id: "m" }, within(0.3));
    expect(answer).toMatchObject({ kind: "ack" });
  });

  test("outlives a control plane that is away, a proxy's page and a server's trouble, and says so once", async () => {
    warnings.length = 0;
    const trouble = { status: 503, json: { code: "unavailable", message: "starting" } };
    const { group } = await plane("drop", "page", trouble, { json: { response: "ack" } });
    expect(await group.call({ op: "sync", id: "s" }, within())).toMatchObject({ kind: "ack" });
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toContain("asking again until its time is over");
  });

  test("gives up when the call's own time is over, however the server waits or is away", async () => {
    const slow = await plane(wait);
    const given = await slow.group.call({ op: "wait", id: "m" }, within(0.2));
    expect(given).toEqual({ kind: "timeout" });
    expect(slow.asked[0]?.body["hold_seconds"]).toBeLessThanOrEqual(0.2);
    const away = await plane("drop");
    expect(await away.group.start(within(0.2))).toBe("timeout");
  });

  test("passes on that nobody has sent what all shall have sent", async () => {
    const { group } = await plane({ json: { response: "nack", message: "nobody has sent it" } });
    const answer = await group.call({ op: "wait-all", id: "m" }, within());
    expect(answer).toEqual({ kind: "nack", message: "nobody has sent it" });
  });

  test.each([
    [410, "gone", "Canceled"],
    [401, "unauthenticated", "Canceled"],
    [413, "too_large", "Job"],
    [400, "invalid", "Job"],
  ])("a refusal with %d %s ends the call as %s", async (status, code, type) => {
    const { group } = await plane({ status, json: { code, message: "no" } });
    const failure = await group.call({ op: "sync", id: "s" }, within()).catch((error) => error);
    expect(failure).toBeInstanceOf(JobFailure);
    expect(failure).toMatchObject({ type });
  });

  test("ends at once when the job is canceled", async () => {
    const { group } = await plane("drop");
    const canceled = new JobFailure("Canceled", "The job was canceled");
    const abort = new AbortController();
    const call = group.call({ op: "wait", id: "m" }, { ...within(), signal: abort.signal });
    abort.abort(canceled);
    await expect(call).rejects.toBe(canceled);
  });

  test("is none without an agent", () => {
    expect(groupOfJob({ job_id: 1, token: "t" }, {})).toBeUndefined();
  });
});
