import { createAdaptorServer } from "@hono/node-server";
import { once } from "node:events";
import type { Server } from "node:http";
import { connect, type AddressInfo } from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import { isWebSocket, serveEventSockets } from "../../control-plane/lava/events/event-sockets.ts";
import { changeItem } from "../../control-plane/domain/changes.ts";
import { labSettings, writeSettings } from "../../control-plane/domain/lab-settings.ts";
import { embeddedLab, type EmbeddedLab } from "../support/embedded-lab.ts";
import { recorded } from "../support/recorded-calls.ts";

type Data = Record<string, unknown>;
interface Listening {
  /** The next message whose topic ends so and whose data has these, of all that come in order. */
  next(topic: string, like?: Data): Promise<{ parts: string[]; data: Data }>;
  socket: WebSocket;
}

let lab: EmbeddedLab;
let server: Server;
let events: { close(): void };
let url: string;
let open: WebSocket[];
beforeEach(async () => {
  lab = await embeddedLab();
  open = [];
  await begin();
});

async function begin(limits?: Parameters<typeof serveEventSockets>[2]): Promise<void> {
  const serverOptions = { shouldUpgradeCallback: isWebSocket };
  server = createAdaptorServer({ fetch: lab.app.fetch, serverOptions }) as Server;
  events = serveEventSockets(server, lab.deps, limits);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  url = `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function end(): Promise<void> {
  for (const socket of open) socket.terminate();
  events.close();
  server.close();
  server.closeAllConnections();
}
afterEach(async () => {
  await end();
  await lab.close();
});

async function listen(
  query = "",
  headers: Record<string, string> = {},
  options: { autoPong?: boolean } = {},
): Promise<Listening> {
  const socket = new WebSocket(`ws://${url}/ws/${query}`, { headers, ...options });
  open.push(socket);
  const waiting: string[] = [];
  let wake = () => {};
  socket.on("message", (data: Buffer) => {
    waiting.push(data.toString());
    wake();
  });
  await once(socket, "open");
  recorded("Events", "WebSocket /ws/");
  return {
    socket,
    async next(topic, like = {}) {
      for (;;) {
        for (let text = waiting.shift(); text !== undefined; text = waiting.shift()) {
          const parts = JSON.parse(text) as string[];
          const data = JSON.parse(parts[4] ?? "") as Data;
          const isLike = Object.entries(like).every(([name, value]) => data[name] === value);
          if (parts[0] !== `org.lavasoftware.${topic}` || !isLike) continue;
          recorded("Events", parts[0]);
          return { parts, data };
        }
        await new Promise<void>((resolve) => (wake = resolve));
      }
    },
  };
}

/** The status with which the lab refuses to be listened to. */
async function refused(
  query = "",
  path = "/ws/",
  headers: Record<string, string> = {},
): Promise<number | undefined> {
  const socket = new WebSocket(`ws://${url}${path}${query}`, { headers });
  socket.on("error", () => {});
  const [, response] = (await once(socket, "unexpected-response")) as [
    unknown,
    { statusCode?: number; resume(): void },
  ];
  response.resume();
  socket.terminate();
  return response.statusCode;
}

const showToAll = async () => {
  const { access } = await labSettings(lab.deps);
  const permissions = { ...access.permissions, view: ["anonymous"] };
  await writeSettings(lab.deps, { access: { ...access, permissions } }, { who: "admin" });
};

describe("LAVA's event stream", () => {
  test("tells of a job in five parts, each time it changes", async () => {
    const worker = await lab.addWorker();
    await lab.addDevice("qemu-01");
    const listener = await listen("", { authorization: `Token ${lab.adminToken}` });
    await lab.sync(worker);
    const id = await lab.submit();
    const { parts, data } = await listener.next("testjob", { state: "Scheduled" });
    expect(parts).toEqual([
      "org.lavasoftware.testjob",
      expect.stringMatching(/^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/) as string,
      "2026-03-01T12:00:00.000000",
      "admin",
      expect.any(String) as string,
    ]);
    expect(data).toEqual({
      ...{ job: id, state: "Scheduled", health: "Unknown", description: "smoke", priority: 50 },
      ...{ submit_time: "2026-03-01T12:00:00.000000+00:00", submitter: "admin" },
      ...{ health_check: false, device_type: "qemu", device: "qemu-01", worker: "bench" },
    });
  });

  test("tells of devices and workers", async () => {
    const listener = await listen(`?token=${lab.adminToken}`);
    const worker = await lab.addWorker();
    await lab.addDevice("qemu-01");
    await lab.sync(worker);
    expect((await listener.next("worker", { state: "Online" })).data).toEqual({
      ...{ hostname: "bench", state: "Online", health: "Active" },
    });
    await lab.submit();
    expect((await listener.next("device", { state: "Reserved" })).data).toMatchObject({
      ...{ device: "qemu-01", device_type: "qemu", worker: "bench", health: "Good" },
    });
  });

  test("tells what a DUT says by lava-test-event, once", async () => {
    const worker = await lab.addWorker();
    await lab.addDevice("qemu-01");
    await lab.sync(worker);
    const id = await lab.submit();
    const { start } = await lab.sync(worker);
    const listener = await listen(`?token=${lab.adminToken}`);
    const records = [{ dt: "", lvl: "event", msg: "started" }];
    for (const _ of [1, 2]) await lab.ship(id, start[0]!.token, 0, records, ["started"]);
    await lab.ship(id, start[0]!.token, 1, records, ["stopped"]);
    const { parts, data } = await listener.next("event");
    expect([parts[3], data]).toEqual(["admin", { message: "started", job: id }]);
    expect((await listener.next("event")).data).toEqual({ message: "stopped", job: id });
  });

  test("tells a worker of its own jobs only", async () => {
    const [one, two] = [await lab.addWorker("one"), await lab.addWorker("two")];
    await lab.addDevice("qemu-01", { worker: "one" });
    await lab.addDevice("panda-01", { worker: "two", device_type: "panda" });
    await Promise.all([lab.sync(one), lab.sync(two)]);
    const listener = await listen(`?token=${two}`);
    await lab.submit();
    const id = await lab.submit(
      (await import("../support/builders.ts")).aJob({ deviceType: "panda" }),
    );
    expect((await listener.next("testjob")).data).toMatchObject({ job: id, worker: "two" });
  });

  test("tells nobody who has no token, or a wrong one, unless the lab is shown to all", async () => {
    expect(await refused()).toBe(401);
    expect(await refused("?token=wrong")).toBe(401);
    await showToAll();
    expect(await refused("?token=wrong")).toBe(401);
    const listener = await listen();
    await lab.addWorker("new");
    expect((await listener.next("worker")).data).toMatchObject({ hostname: "new" });
  });

  test("tells nobody what they may not see", async () => {
    await lab.addWorker();
    await lab.addDevice("qemu-01");
    const { token } = await lab.addUser("lee");
    const listener = await listen(`?token=${token}`);
    const { aJob } = await import("../support/builders.ts");
    await lab.submit(aJob({ name: "secret" }).replace("public", "personal"));
    const id = await lab.submit();
    expect((await listener.next("testjob")).data).toMatchObject({ job: id });
  });

  test("is at one path only; requests that offer other protocols are answered as usual", async () => {
    expect(await refused(`?token=${lab.adminToken}`, "/other")).toBe(404);
    const health = await new Promise<string>((resolve, reject) => {
      void import("node:http").then(({ request }) => {
        const headers = { connection: "upgrade, http2-settings", upgrade: "h2c" };
        const asking = request(`http://${url}/api/v1/health`, { headers }, (answer) => {
          answer.setEncoding("utf8");
          let text = "";
          answer.on("data", (part: string) => (text += part));
          answer.on("end", () => resolve(text));
        });
        asking.on("error", reject).end();
      });
    });
    expect(health).toContain('"status":"ok"');
  });

  test.each(["/ws/?token=wrong", "/elsewhere"])(
    "who is refused at %s, and talks on, keeps no connection",
    async (path) => {
      const gone = new Promise<void>((resolve) =>
        server.once("connection", (socket) => socket.once("close", () => resolve())),
      );
      const [host, port] = url.split(":");
      const socket = connect({ host: host!, port: Number(port), allowHalfOpen: true });
      socket.on("error", () => {});
      const head = "Host: lab\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n";
      socket.write(`GET ${path} HTTP/1.1\r\n${head}\r\n`);
      const [answer] = (await once(socket, "data")) as [Buffer];
      expect(String(answer)).toMatch(/^HTTP\/1.1 40[14] /);
      socket.write("x".repeat(5000));
      await gone;
      socket.destroy();
    },
  );

  test("keeps no place for who does not begin to listen", async () => {
    const authorization = `Token ${lab.adminToken}`;
    const { request } = await import("node:http");
    const broken = { connection: "upgrade", upgrade: "websocket", "sec-websocket-version": "99" };
    for (let times = 0; times < 70; times++) {
      const status = await new Promise((resolve, reject) => {
        const asking = request(`http://${url}/ws/`, { headers: { ...broken, authorization } });
        asking.on("response", (answer) => resolve(answer.resume().statusCode));
        asking.on("error", reject).end();
      });
      expect(status).toBeGreaterThanOrEqual(400);
      expect(status).toBeLessThan(500);
    }
    await listen(`?token=${lab.adminToken}`);
  });

  describe("of many who listen", () => {
    const beginWith = async (limits: Parameters<typeof begin>[0]) => {
      await end();
      await begin(limits);
    };

    test("lets go of one who is not there any more, and of nobody who says that they are", async () => {
      await beginWith({ heartbeatMs: 300 });
      const { socket: present } = await listen(`?token=${lab.adminToken}`);
      const { socket: gone } = await listen(`?token=${lab.adminToken}`, {}, { autoPong: false });
      await once(gone, "close");
      for (let beat = 0; beat < 3; beat++) await once(present, "ping");
      expect(present.readyState).toBe(WebSocket.OPEN);
    });

    test("refuses one too many until there is room", async () => {
      await beginWith({ listeners: 1 });
      const left = new Promise<void>((resolve) =>
        server.once("connection", (socket) => socket.once("close", () => resolve())),
      );
      const { socket } = await listen(`?token=${lab.adminToken}`);
      expect(await refused(`?token=${lab.adminToken}`)).toBe(503);
      socket.terminate();
      await left;
      await listen(`?token=${lab.adminToken}`);
    });

    test("refuses one too many of an address; another one has room still", async () => {
      await beginWith({ listenersOfAddress: 2, trustedProxies: 1 });
      const left = new Promise<void>((resolve) =>
        server.once("connection", (socket) => socket.once("close", () => resolve())),
      );
      const token = `?token=${lab.adminToken}`;
      const from = (address: string) => ({ "x-forwarded-for": `198.51.100.1, ${address}` });
      const { socket } = await listen(token, from("192.0.2.1"));
      await listen(token, from("192.0.2.1"));
      expect(await refused(token, "/ws/", from("192.0.2.1"))).toBe(429);
      await listen(token, from("192.0.2.2"));
      socket.terminate();
      await left;
      await listen(token, from("192.0.2.1"));
    });

    test("cuts off one who does not read, however much there would be to tell", async () => {
      let isCut = false;
      server.once("connection", (socket) => socket.once("close", () => (isCut = true)));
      const { socket } = await listen(`?token=${lab.adminToken}`);
      const closed = once(socket, "close");
      socket.pause();
      const data = { hostname: "bench", reason: "x".repeat(200_000) };
      while (!isCut) {
        const change = { kind: "worker", name: "bench", changed: {}, data } as const;
        const put = changeItem(lab.deps, { who: "admin", ...change });
        await lab.deps.table.transact([{ put, when: "absent" }]);
        // The rest of the process has its turn.
        await new Promise((resolve) => setImmediate(resolve));
      }
      socket.resume();
      await closed;
    });
  });

  test("ends with the process", async () => {
    const { socket } = await listen(`?token=${lab.adminToken}`);
    const closed = once(socket, "close");
    events.close();
    await closed;
  });
});
