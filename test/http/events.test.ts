import { createAdaptorServer } from "@hono/node-server";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { changeItem } from "../../control-plane/domain/changes.ts";
import { serve } from "../../control-plane/serve.ts";
import { embeddedLab, type EmbeddedLab } from "../support/embedded-lab.ts";
import { readEvents, type EventReader } from "../support/event-reader.ts";
import { aJob } from "../support/builders.ts";

let lab: EmbeddedLab;
let server: Server;
let url: string;
const readers: EventReader[] = [];
beforeEach(async () => {
  lab = await embeddedLab({}, "embedded");
  server = createAdaptorServer({ fetch: lab.app.fetch }) as Server;
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/api/v1/events`;
});
afterEach(async () => {
  for (const reader of readers.splice(0)) reader.kill();
  server.closeAllConnections();
  server.close();
  await lab.close();
});

async function follow(
  query = "",
  { token = lab.adminToken, after }: { token?: string | null; after?: string | undefined } = {},
): Promise<EventReader> {
  const kill = new AbortController();
  const answer = await fetch(url + query, {
    signal: kill.signal,
    headers: {
      ...(token === null ? {} : { authorization: `Bearer ${token}` }),
      ...(after === undefined ? {} : { "last-event-id": after }),
    },
  });
  if (!answer.ok) throw new Error(`${answer.status} ${await answer.text()}`);
  expect(answer.headers.get("content-type")).toBe("text/event-stream; charset=utf-8");
  const reader = readEvents(answer.body!, () => kill.abort());
  readers.push(reader);
  await reader.ready();
  return reader;
}

const change = (name: string, secondsAgo = 0) => {
  const { system } = lab.deps;
  const then = { ...lab.deps, system: { ...system, now: () => system.now() - secondsAgo * 1000 } };
  return changeItem(then, {
    ...{ who: "ann", kind: "device", name, routine: true },
    changed: { state: ["Idle", "Reserved"] },
    data: { device: name },
  });
};
const write = (...names: string[]) =>
  lab.deps.table.transact(names.map((name) => ({ put: change(name), when: "absent" })));
const namesOf = (reader: EventReader) => reader.events.map(({ name }) => name);
const numbered = (count: number) => Array.from({ length: count }, (_, n) => `d${n}`);

describe("the stream of events", () => {
  test("tells what happens to a job and its device, in LAVA's names, with who did it", async () => {
    const worker = await lab.addWorker();
    await lab.addDevice("qemu-01");
    await lab.sync(worker);
    const reader = await follow();
    const id = await lab.submit(aJob({ name: "boot" }));
    const events = await reader.until(3);
    const [submitted] = events;
    expect(submitted).toMatchObject({
      kind: "job",
      name: String(id),
      who: "admin",
      changed: { state: [null, "Submitted"] },
      data: {
        job: id,
        state: "Submitted",
        health: "Unknown",
        description: "boot",
        submitter: "admin",
      },
    });
    const states = events.map(({ kind, data }) => `${kind} ${String(data["state"])}`);
    expect(states.slice(1).toSorted()).toEqual(["device Reserved", "job Scheduled"]);
    const device = events.find(({ kind }) => kind === "device");
    expect(device?.data).toMatchObject({ device: "qemu-01", state: "Reserved", job: id });
  });

  test("begins with what happens from now on", async () => {
    await write("before");
    const reader = await follow();
    await write("after");
    await reader.until(1);
    expect(namesOf(reader)).toEqual(["after"]);
  });

  test("goes on where a reader was cut off", async () => {
    const first = await follow();
    await write("a", "b");
    await first.until(2);
    first.kill();
    await first.ended;
    await write("c");
    lab.pass(3600);
    await write("d");
    const second = await follow("", { after: first.position() });
    await second.until(2);
    expect(namesOf(second)).toEqual(["c", "d"]);
    const half = await follow("", { after: first.events[0]!.position });
    await half.until(3);
    expect(namesOf(half)).toEqual(["b", "c", "d"]);
  });

  test("goes on after a restart of the control plane, over days", async () => {
    const first = await follow();
    await write("a");
    await first.until(1);
    first.kill();
    await first.ended;
    lab.pass(2 * 24 * 3600);
    await write("b");
    await lab.reopen();
    const answer = await lab.request(
      `/events?follow=false&after=${encodeURIComponent(first.position()!)}`,
    );
    const reader = readEvents(answer.body!, () => {});
    await reader.ended;
    expect(namesOf(reader)).toEqual(["b"]);
  });

  test("tells what a slow transaction wrote late, also to one who was cut off meanwhile", async () => {
    const [one, two] = [await follow(), await follow()];
    const late = change("late");
    lab.pass(2);
    await write("a");
    await Promise.all([one.until(1), two.until(1)]);
    two.kill();
    await two.ended;
    await lab.deps.table.transact([{ put: late, when: "absent" }]);
    await one.until(2);
    expect(namesOf(one)).toEqual(["a", "late"]);
    const again = await follow("", { after: two.position() });
    await again.until(1);
    await write("b");
    await again.until(2);
    expect(namesOf(again)).toEqual(["late", "b"]);
  });

  test("tells a time's events from that time on", async () => {
    await write("a");
    lab.pass(60);
    await write("b");
    const answer = await lab.request("/events?follow=false&after=2026-03-01T12:00:30Z");
    const reader = readEvents(answer.body!, () => {});
    await reader.ended;
    expect(namesOf(reader)).toEqual(["b"]);
  });

  test.each([
    ["?kind=job", ["job 1", "job 1"]],
    ["?kind=device,worker", ["device qemu-01"]],
    ["?job=1", ["device qemu-01", "job 1", "job 1"]],
    ["?job=2", []],
    ["?device=qemu-01", ["device qemu-01", "job 1"]],
    ["?device=qemu-02", []],
  ])("with %s tells of those only", async (query, expected) => {
    const worker = await lab.addWorker();
    await lab.addDevice("qemu-01");
    await lab.sync(worker);
    const [reader, all] = [await follow(query), await follow()];
    await lab.submit();
    await all.until(3);
    await reader.until(expected.length);
    expect(reader.events.map(({ kind, name }) => `${kind} ${name}`).toSorted()).toEqual(expected);
  });

  test("tells nobody of what they may not see", async () => {
    const worker = await lab.addWorker();
    await lab.addDevice("qemu-01");
    await lab.sync(worker);
    const alice = await lab.addUser("alice");
    await lab.request("/settings", {
      method: "PUT",
      body: { settings: { access: { permissions: { view: ["everyone"] } } } },
    });
    const [hers, all] = [await follow("?kind=job", alice), await follow("?kind=job")];
    await lab.submit(aJob().replace("visibility: public", "visibility: personal"));
    const open = await lab.submit(aJob());
    await all.until(3);
    const [first] = await hers.until(1);
    expect(first!.name).toBe(String(open));
  });

  test("ends for one whose token is revoked", async () => {
    const alice = await lab.addUser("alice");
    const reader = await follow("", alice);
    const { tokens } = await lab.api<{ tokens: { id: string; subject: string }[] }>("/tokens");
    const { id } = tokens.find(({ subject }) => subject === "alice")!;
    await lab.request(`/tokens/${id}`, { method: "DELETE" });
    lab.pass(31);
    await write("a");
    await reader.ended;
    expect(reader.events).toEqual([]);
  });

  test("ends for those who are not signed in when the lab shows them nothing any more", async () => {
    const access = (permissions: object) =>
      lab.request("/settings", {
        method: "PUT",
        body: { settings: { access: { rule: "open", permissions } } },
      });
    await access({ view: ["anonymous"] });
    const reader = await follow("", { token: null });
    await access({});
    lab.pass(31);
    await write("a");
    await reader.ended;
    expect(reader.events).toEqual([]);
  });

  test("ends when the control plane is closed", async () => {
    const reader = await follow();
    await lab.reopen();
    await reader.ended;
  });

  test("ends at once where answers are not held, and says where to go on", async () => {
    const held = { ...lab.deps, settings: { ...lab.deps.settings, logHoldSeconds: 0 } };
    const { createApp } = await import("../../control-plane/http/app.ts");
    const app = createApp(held);
    const ask = async (after?: string) => {
      const headers = {
        authorization: `Bearer ${lab.adminToken}`,
        ...(after ? { "last-event-id": after } : {}),
      };
      const reader = readEvents((await app.request("/api/v1/events", { headers })).body!, () => {});
      await reader.ended;
      return reader;
    };
    const first = await ask();
    await write("a");
    const second = await ask(first.position());
    await write("b");
    expect(namesOf(second)).toEqual(["a"]);
    expect(namesOf(await ask(second.position()))).toEqual(["b"]);
  });

  test("is refused to a person who has 64 of them, until one is closed; not to others", async () => {
    const { token } = await lab.addUser("eve");
    const open = Array.from({ length: 64 }, () => new AbortController());
    const ask = (signal?: AbortSignal) =>
      lab.request("/events", { token, ...(signal ? { signal } : {}) });
    const answers = await Promise.all(open.map(({ signal }) => ask(signal)));
    expect(answers.every(({ status }) => status === 200)).toBe(true);
    const refused = await ask();
    expect(refused.status).toBe(429);
    expect(await refused.text()).toContain("64 streams of events of yours are open");
    await follow();
    await answers[0]!.body!.cancel();
    const again = await ask();
    expect(again.status).toBe(200);
    await Promise.all([again, ...answers.slice(1)].map(({ body }) => body!.cancel()));
  });

  test("does not hold up a control plane that stops", async () => {
    const dir = mkdtempSync(path.join(tmpdir(), "pumice-events-"));
    try {
      const serving = await serve({ dataDir: dir, listen: "127.0.0.1:0" });
      const token = readFileSync(path.join(dir, "admin-token"), "utf8").trim();
      const headers = { authorization: `Bearer ${token}` };
      const answer = await fetch(`${serving.url}/api/v1/events`, { headers });
      const reader = readEvents(answer.body!, () => {});
      await reader.ready();
      await Promise.all([serving.close(), reader.ended]);
    } finally {
      rmSync(dir, { recursive: true, force: true });
    }
  });

  test("refuses what is no position and no kind", async () => {
    for (const query of ["after=yesterday", "kind=token", "job=x"]) {
      expect((await lab.request(`/events?${query}`)).status).toBe(400);
    }
  });

  test("tells fifty followers of a thousand changes, each once and in order, some of them cut off", async () => {
    const names = numbered(1000);
    const followers = await Promise.all(Array.from({ length: 50 }, () => follow()));
    const writing = (async () => {
      for (let at = 0; at < names.length; at += 5) {
        lab.pass(0.001);
        await write(...names.slice(at, at + 5));
        // The followers' turn.
        if (at % 50 === 0) await new Promise((resolve) => setImmediate(resolve));
      }
    })();
    const told = followers.map(async (reader, n) => {
      const all: string[] = [];
      let current = reader;
      // Every fifth is cut off again and again.
      for (let cut = 1; n % 5 === 0 && cut <= 4; cut++) {
        await current.until(50 * cut);
        current.kill();
        await current.ended;
        all.push(...namesOf(current));
        current = await follow("", { after: current.position() });
      }
      await current.until(1000 - all.length);
      return [...all, ...namesOf(current)];
    });
    await writing;
    for (const one of await Promise.all(told)) expect(one).toEqual(names);
  }, 120_000);
});
