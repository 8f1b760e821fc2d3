import { once } from "node:events";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { changesFrom } from "../../control-plane/domain/events/read-changes.ts";
import { addListener, listenersPage } from "../../control-plane/domain/events/listeners.ts";
import type { ChangeRecord } from "../../control-plane/domain/changes.ts";
import { kindOf } from "../../control-plane/domain/item-kinds.ts";
import { listenerKey } from "../../control-plane/domain/keys.ts";
import { openConnections } from "../../control-plane/engines/aws/connections.ts";
import type { AwsPlace } from "../../control-plane/engines/aws/place.ts";
import { makeFailureLimit } from "../../control-plane/http/failure-limit.ts";
import { createPusher } from "../../control-plane/lava/events/push-events.ts";
import { answerSocket, type SocketEvent } from "../../control-plane/lava/events/socket-routes.ts";
import { Unavailable } from "../../control-plane/ports/unavailable.ts";
import { aJob } from "../support/builders.ts";
import { embeddedLab, type EmbeddedLab } from "../support/embedded-lab.ts";
import { listenTo, type EventListener } from "../support/lambda/event-listener.ts";
import { startSocketFront, type SocketFront } from "../support/lambda/socket-front.ts";

/* The rules of the function for events, without Lambda, over API Gateway's protocols: what is said to whom when something is wrong. */

const place = {
  region: "eu-west-1",
  credentials: { accessKeyId: "AKIDEXAMPLE", secretAccessKey: "secret", sessionToken: "session" },
} as AwsPlace;

let lab: EmbeddedLab;
let front: SocketFront;
let seen: Set<string>;
let push: (changes: readonly ChangeRecord[]) => Promise<void>;
/** Happens once between the function's yes and the connection. */
let beforeOpen: (() => Promise<void>) | undefined;
let open: EventListener[];

beforeEach(async () => {
  lab = await embeddedLab();
  seen = new Set();
  open = [];
  beforeOpen = undefined;
  const limits = { failures: makeFailureLimit(() => lab.deps.system.now()), trustedProxies: 0 };
  const { region, credentials } = place;
  front = await startSocketFront({
    ...{ region, credentials, now: () => lab.deps.system.now() },
    async invoke(event) {
      const answer = await answerSocket(lab.deps, event as SocketEvent, limits);
      await beforeOpen?.();
      beforeOpen = undefined;
      return JSON.stringify(answer);
    },
  });
  const connections = openConnections(place, front.connectionsUrl, lab.deps.system);
  push = createPusher(lab.deps, connections, () => Promise.resolve());
  await lab.addWorker();
  await lab.addDevice("qemu-01");
  await news();
});
afterEach(async () => {
  for (const { socket } of open) socket.terminate();
  await front.close();
  await lab.close();
});

async function listen(token = lab.adminToken): Promise<EventListener> {
  const listener = await listenTo(`${front.url}?token=${token}`);
  open.push(listener);
  return listener;
}

/** What has happened since the last call, as the stream brings it. */
async function news(): Promise<ChangeRecord[]> {
  await lab.settled();
  const changes: ChangeRecord[] = [];
  for await (const change of changesFrom(lab.deps, "2026-03-01T00:00:00.000Z")) {
    if (!seen.has(change.id)) changes.push(change);
    seen.add(change.id);
  }
  return changes;
}

/** Tells changes over a table that fails once, when it is asked for a person, or for what else has such a key. */
function pushingWhere(failure: Error, partition = "user#"): typeof push {
  const { table } = lab.deps;
  let fails = true;
  const failing = {
    ...table,
    get: async <T>(key: Parameters<typeof table.get>[0]) => {
      if (fails && key.partition.startsWith(partition)) {
        fails = false;
        throw failure;
      }
      return table.get<T>(key);
    },
  };
  const connections = openConnections(place, front.connectionsUrl, lab.deps.system);
  return createPusher({ ...lab.deps, table: failing }, connections);
}

const listeners = async (): Promise<string[]> =>
  (await listenersPage(lab.deps, undefined)).items.map(({ data }) => data.id);

describe("who listens", () => {
  test("hears what happens in its order, and is forgotten when they go", async () => {
    const listener = await listen();
    const id = await lab.submit();
    await push(await news());
    const states = listener.rest().filter(({ job }) => job === id);
    expect(states.map(({ state }) => state)).toEqual(["Submitted"]);
    expect(await listeners()).toHaveLength(1);
    listener.socket.close();
    await listener.closed;
    await expect.poll(listeners).toEqual([]);
  });

  test("hears nothing of what they may not see; a worker hears of its own jobs", async () => {
    const worker = await lab.addWorker("two");
    await lab.addDevice("panda-01", { worker: "two", device_type: "panda" });
    const { token } = await lab.addUser("lee");
    const [person, two] = [await listen(token), await listen(worker)];
    await lab.sync(worker);
    await news();
    await lab.submit(aJob({ name: "secret" }).replace("public", "personal"));
    const id = await lab.submit(aJob({ deviceType: "panda" }));
    await push(await news());
    expect(new Set(person.rest().flatMap(({ job }) => job ?? []))).toEqual(new Set([id]));
    expect(new Set(two.rest().map(({ job }) => job))).toEqual(new Set([id]));
  });

  test("is in no backup", async () => {
    await listen();
    const [id = ""] = front.open();
    const backup = await (await lab.request("/backup/items")).text();
    expect(backup).toContain("qemu-01");
    expect(backup).not.toContain(id);
    expect(kindOf(listenerKey(id))).toMatchObject({ name: "listener", travels: false });
  });

  test("is told at the lab's own address what to ask for", async () => {
    for (const where of ["/ws", "/ws/"]) {
      const answer = await lab.app.request(where);
      expect([answer.status, answer.headers.get("upgrade")]).toEqual([426, "websocket"]);
    }
  });

  test("is refused without a token, and where too many are there already", async () => {
    await expect(listenTo(front.url)).rejects.toThrow("401");
    await expect(listenTo(`${front.url}?token=wrong`)).rejects.toThrow("401");
    const principal = { kind: "worker", name: "one", tokenId: "1" } as const;
    const more = (address: string) =>
      addListener(lab.deps, { id: address, principal, address }, { all: 4, ofAddress: 2 });
    await more("::ffff:10.0.0.1");
    await addListener(lab.deps, { id: "again", principal, address: "10.0.0.1" });
    await expect(more("10.0.0.1")).rejects.toThrow("too many listen from 10.0.0.1: at most 2");
    await more("10.0.0.2");
    await more("10.0.0.3");
    await expect(more("10.0.0.4")).rejects.toMatchObject({ code: "unavailable" });
    const person = { kind: "user", name: "lee", admin: false, groups: [], tokenId: "2" } as const;
    for (let n = 0; n < 64; n++) {
      await addListener(lab.deps, { id: `${n}`, principal: person, address: `10.1.0.${n}` });
    }
    const onceMore = { id: "x", principal: person, address: "10.2.0.1" };
    await expect(addListener(lab.deps, onceMore)).rejects.toMatchObject({ code: "throttled" });
  });

  test("is let go when their token is revoked, as soon as that is known", async () => {
    const { token } = await lab.addUser("lee");
    const [lee, admin] = [await listen(token), await listen()];
    await lab.request(`/tokens/${token.split("_")[1]}`, { method: "DELETE" });
    await push(await news());
    await lee.closed;
    expect(await listeners()).toHaveLength(1);
    expect(admin.socket.readyState).toBe(1);
  });

  test("of a worker, too; and by the next event where nobody told", async () => {
    const worker = await lab.addWorker("two");
    const two = await listen(worker);
    await push(await news());
    await lab.deps.table.transact([
      { delete: { partition: `token#${worker.split("_")[1]}`, sort: "token" } },
    ]);
    await lab.submit();
    lab.pass(31);
    await push((await news()).filter(({ kind }) => kind === "job"));
    await two.closed;
  });
});

describe("when something is wrong", () => {
  test("a connection that is gone is forgotten, and a new one is waited for", async () => {
    lab.pass(-60);
    const principal = { kind: "anonymous" } as const;
    const { access } = await import("../../control-plane/domain/lab-settings.ts").then((all) =>
      all.labSettings(lab.deps),
    );
    await lab.api("/settings", {
      method: "PUT",
      body: {
        settings: {
          access: { ...access, permissions: { ...access.permissions, view: ["anonymous"] } },
        },
      },
    });
    await addListener(lab.deps, { id: "old", principal, address: "10.0.0.1" });
    lab.pass(60);
    await news();
    const id = await lab.submit();
    const changes = await news();
    // Told while the function has said yes, and the gateway has not let them in.
    let told: Promise<void> = Promise.resolve();
    beforeOpen = async () => {
      told = push(changes);
      await front.posted(2);
    };
    const listener = await listen();
    await told;
    expect(listener.rest().find(({ job }) => job === id)).toMatchObject({ state: "Submitted" });
    expect(front.posts.find(({ id: of }) => of === "old")).toEqual({ status: 410, id: "old" });
    expect(await listeners()).toEqual(front.open());
  });

  test("a throttled post is tried again, and heard once", async () => {
    const listener = await listen();
    front.fail(429, 1);
    front.fail(503, 1);
    const id = await lab.submit();
    await push(await news());
    expect(listener.rest().filter(({ job }) => job === id)).toHaveLength(1);
  });

  test("who does not read is cut off; the others hear all", async () => {
    const [slow, other] = [await listen(), await listen()];
    const [slowId = "", otherId] = front.open();
    front.fail(429, 3, slowId);
    const id = await lab.submit();
    await push(await news());
    await slow.closed;
    expect(other.rest().filter(({ job }) => job === id)).toHaveLength(1);
    expect(await listeners()).toEqual([otherId]);
    expect(lab.messages.join("\n")).toContain("does not read");
  });

  test("more listeners than a page has are all told", async () => {
    const principal = { kind: "user", name: "", admin: true, groups: [], tokenId: "0" } as const;
    // They sort before any other, and their tokens are none.
    for (const part of [0, 1]) {
      const puts = Array.from({ length: 65 }, (_, n) => {
        const key = { partition: "listeners", sort: `!${part}-${n}` };
        return { put: { key, data: { id: key.sort, principal, from: "10.0.0.1", since: 0 } } };
      });
      await lab.deps.table.transact(puts);
    }
    const listener = await listen();
    const id = await lab.submit();
    await push(await news());
    expect(listener.rest().filter(({ job }) => job === id)).toHaveLength(1);
    expect(await listeners()).toEqual(front.open());
  });

  test("a table that is away is told of, once all others have heard", async () => {
    const [one, two] = [await listen(), await listen()];
    const id = await lab.submit();
    const changes = await news();
    const pushing = pushingWhere(new Unavailable("away"));
    await expect(pushing(changes)).rejects.toThrow("away");
    const heard = () => [one, two].map((each) => each.rest().filter(({ job }) => job === id));
    expect(heard().flat()).toHaveLength(1);
    await pushing(changes);
    expect(heard().every((events) => events.length === 1)).toBe(true);
  });

  test("a table that was away while it was asked for a job is asked again", async () => {
    const { token } = await lab.addUser("lee");
    const listener = await listen(token);
    const id = await lab.submit();
    const changes = await news();
    const pushing = pushingWhere(new Unavailable("away"), "job#");
    await expect(pushing(changes)).rejects.toThrow("away");
    await pushing(changes);
    expect(listener.rest().filter(({ job }) => job === id)).toHaveLength(1);
  });

  test("what fails for one listener is no one else's affair: they are let go, and may come again", async () => {
    await Promise.all([listen(), listen()]);
    const id = await lab.submit();
    const changes = await news();
    await pushingWhere(new Error("broken"))(changes);
    await Promise.race(open.map(({ closed }) => closed));
    expect(await listeners()).toHaveLength(1);
    const heard = open.flatMap((each) => each.rest().filter(({ job }) => job === id));
    expect(heard).toHaveLength(1);
    expect(lab.messages.join("\n")).toContain("broken");
  });

  test("what a restored backup brings is no news", async () => {
    const listener = await listen();
    await lab.submit();
    const changes = await news();
    lab.pass(11 * 60);
    await push(changes);
    expect(listener.rest()).toEqual([]);
    expect(front.posts).toEqual([]);
  });

  test("nobody but the lab speaks to its connections", async () => {
    await listen();
    const [id = ""] = front.open();
    const where = `${front.connectionsUrl}/@connections/${encodeURIComponent(id)}`;
    expect((await fetch(where, { method: "POST", body: "x" })).status).toBe(403);
    const credentials = { ...place.credentials, secretAccessKey: "wrong" };
    const others = openConnections({ ...place, credentials }, front.connectionsUrl, {
      ...lab.deps.system,
    });
    expect(await others.post(id, "x")).toBe("slow");
    expect(lab.messages.join("\n")).toContain("API Gateway refused a message");
  });

  test("a message that is too long for API Gateway is left out, and the listener kept", async () => {
    const listener = await listen();
    const connections = openConnections(place, front.connectionsUrl, lab.deps.system);
    const [id = ""] = front.open();
    expect(await connections.post(id, "x".repeat(130_000))).toBe("sent");
    const message = once(listener.socket, "message");
    expect(await connections.post(id, '["", "", "", "", "{}"]')).toBe("sent");
    await message;
  });
});
