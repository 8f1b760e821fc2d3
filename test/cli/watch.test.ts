import { createAdaptorServer } from "@hono/node-server";
import { once } from "node:events";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Settings } from "../../control-plane/domain/deps.ts";
import { runningJob } from "../support/browser-session.ts";
import { cli, startCli } from "../support/cli-run.ts";
import { embeddedLab, type EmbeddedLab } from "../support/embedded-lab.ts";

/** A lab on a port, and what it was asked; `answer` may stand in for it. */
let lab: EmbeddedLab;
let server: Server;
let url: string;
let asked: string[];
let answer: ((path: string) => Response | undefined) | undefined;
let id: number;
let token: string;

async function open(settings: Partial<Settings> = {}) {
  lab = await embeddedLab(settings);
  asked = [];
  answer = undefined;
  server = createAdaptorServer({
    fetch: (request) => {
      const { pathname, search } = new URL(request.url);
      const path = pathname.replace("/api/v1", "") + search;
      asked.push(path.startsWith("/blobs/") ? "a chunk" : path);
      return answer?.(path) ?? lab.app.fetch(request);
    },
  }) as Server;
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const worker = await lab.addWorker();
  await lab.addDevice("qemu-01");
  ({ id, token } = await runningJob(lab, worker));
}
afterEach(async () => {
  const closed = once(server, "close");
  server.close();
  server.closeAllConnections();
  await closed;
  await lab.close();
});

const env = () => ({ PUMICE_URL: url, PUMICE_TOKEN: lab.adminToken });
const lines = (from: number, count: number) =>
  Array.from({ length: count }, (_, n) => ({
    dt: "2026-03-01T12:30:01.250000+00:00",
    lvl: "target",
    msg: `line ${from + n}`,
  }));
const printed = (from: number, count: number) =>
  lines(from, count)
    .map(({ msg }) => `12:30:01.250 ${msg}\n`)
    .join("");

async function finish(count: number) {
  await lab.finish(id, token, { result: "pass", lines: count });
}

describe("a log on the command line", () => {
  beforeEach(() => open());

  test("is read from its chunks: the control plane reads none of it", async () => {
    let reads = 0;
    const { blobs } = lab.deps;
    const get = blobs.get.bind(blobs);
    blobs.get = (key) => ((reads += key.includes("/log/") ? 1 : 0), get(key));
    for (let n = 0; n < 70; n++) await lab.ship(id, token, 10 * n, lines(10 * n, 10));
    await finish(700);
    const { code, out } = await cli(["logs", String(id)], env());
    expect({ code, out }).toEqual({ code: 0, out: printed(0, 700) });
    expect(asked.filter((path) => path === "a chunk")).toHaveLength(70);
    expect(asked.filter((path) => path !== "a chunk")).toEqual([
      `/jobs/${id}/log-chunks?start=0&wait=0`,
      `/jobs/${id}/log-chunks?start=640&wait=0`,
    ]);
    expect(reads).toBe(0);
  });

  test("of a job that runs is printed as far as it is, or followed to its end", async () => {
    await lab.ship(id, token, 0, lines(0, 3));
    expect((await cli(["logs", String(id)], env())).out).toBe(printed(0, 3));
    const following = startCli(["logs", "-f", String(id)], env());
    await following.shows("line 2");
    await lab.ship(id, token, 3, lines(3, 2));
    await following.shows("line 4");
    await finish(5);
    expect(await following.ended).toBe(0);
    expect(following.out).toBe(printed(0, 5));
  });

  test("comes from the control plane when the blobs cannot be reached", async () => {
    await lab.ship(id, token, 0, lines(0, 3));
    await finish(3);
    answer = (path) =>
      path.startsWith("/blobs/") ? new Response("no", { status: 503 }) : undefined;
    expect(await cli(["logs", String(id)], env())).toEqual({
      code: 0,
      out: printed(0, 3),
      said: "",
    });
  });

  test("comes from a control plane of an earlier version, too", async () => {
    await lab.ship(id, token, 0, lines(0, 3));
    await finish(3);
    answer = (path) =>
      path.includes("/log-chunks")
        ? Response.json({ code: "not_allowed", message: "takes POST, not GET" }, { status: 405 })
        : undefined;
    expect(await cli(["logs", String(id)], env())).toEqual({
      code: 0,
      out: printed(0, 3),
      said: "",
    });
  });

  test("of a job that does not exist is an error", async () => {
    const { code, said } = await cli(["logs", "999"], env());
    expect(code).toBe(2);
    expect(said).toContain("there is no job 999");
  });
});

test("where answers are not held back the log is asked for again after a pause", async () => {
  await open({ logHoldSeconds: 0 });
  await lab.ship(id, token, 0, lines(0, 1));
  const begun = performance.now();
  const watching = startCli(["watch", String(id)], env());
  await watching.shows("line 0");
  await lab.ship(id, token, 1, lines(1, 1));
  await watching.shows("line 1");
  await finish(2);
  expect(await watching.ended).toBe(0);
  // However slow this is: two pieces of news, the end, and a question a second in between.
  const seconds = (performance.now() - begun) / 1000;
  const questions = asked.filter((path) => path.includes("/log-chunks"));
  expect(questions.length).toBeLessThanOrEqual(4 + seconds);
});
