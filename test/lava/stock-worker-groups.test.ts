import { once } from "node:events";
import { connect } from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { JobView } from "#protocol/api.ts";
import { readYaml } from "#protocol/read-yaml.ts";
import { closeLab } from "../../control-plane/domain/closed-lab.ts";
import { closedKey } from "../../control-plane/domain/keys.ts";
import {
  serveCoordinator,
  type Coordinator,
} from "../../control-plane/lava/coordinator/serve-coordinator.ts";
import type { EmbeddedLab } from "../support/embedded-lab.ts";
import { aGroupJob } from "../support/group-job.ts";
import { recorded } from "../support/recorded-calls.ts";
import { ask, end, ping, stockWorkerLab } from "../support/stock-worker-lab.ts";

let lab: EmbeddedLab;
let coordinator: Coordinator;
let group: string;
/** Jobs of a group of three, of which the first two run on the stock worker and the last on one of ours. */
let ids: [number, number, number];
let ours: string;

beforeEach(async () => {
  ({ lab } = await stockWorkerLab({ coordinator: true }));
  coordinator = await serveCoordinator(lab.deps, { host: "127.0.0.1", port: 0 });
  await ping();
  await lab.addDevice("qemu-02");
  const worker = await lab.addWorker("other");
  await lab.addDevice("board-01", { device_type: "board", worker: "other" });
  await lab.sync(worker);
  const roles = {
    server: "{count: 2, device_type: qemu, context: {arch: amd64}}",
    client: "{count: 1, device_type: board, context: {arch: amd64}}",
  };
  ({ job_ids: ids } = await lab.api<{ job_ids: typeof ids }>("/jobs", { body: aGroupJob(roles) }));
  await lab.settled();
  for (const { id, token } of (await ping()).start) await ask(`/jobs/${id}/`, token);
  const { start } = await lab.sync(worker);
  ours = start[0]!.token;
  const runners = [{ job_id: ids[2], state: "running" as const }];
  await lab.sync(worker, runners);
  group = (await lab.api<JobView & { group: string }>(`/jobs/${ids[0]}`)).group;
});
afterEach(async () => {
  await coordinator.close();
  await lab.close();
});

/** What comes back for these bytes; empty when the connection is just closed. */
async function exchange(sent: string): Promise<string> {
  const [, host = "", port = ""] = /^(.*):(\d+)$/.exec(coordinator.address) ?? [];
  const socket = connect(Number(port), host);
  let said = "";
  socket.on("data", (data) => void (said += String(data)));
  socket.on("error", () => {});
  socket.end(sent);
  await once(socket, "close");
  return said;
}

const framed = (text: string): string =>
  Buffer.byteLength(text).toString(16).padStart(8, "0") + text;

/** As LAVA's runner asks. */
async function call(id: number, request: string, more: object = {}, of = group): Promise<unknown> {
  const common = { client_name: String(id), group_name: of, group_size: 3, role: "server" };
  const said = await exchange(
    framed(JSON.stringify({ ...common, hostname: "bench", request, ...more })),
  );
  expect(said.slice(0, 8)).toBe(Buffer.byteLength(said.slice(8)).toString(16).padStart(8, "0"));
  return JSON.parse(said.slice(8));
}
const oursAsks = (what: string, body: object = {}) =>
  lab.api(`/jobs/${ids[2]}/multinode/${what}`, { token: ours, body });

describe("a group of stock workers and ours", () => {
  test("begins as one, each stock job with LAVA's definition of a member", async () => {
    const jobs = await Promise.all(ids.map((id) => lab.job(id)));
    expect(jobs.map(({ state, worker }) => [state, worker])).toEqual([
      ["Running", "bench"],
      ["Running", "bench"],
      ["Running", "other"],
    ]);
    const { token } = (await ping()).running[0]!;
    const answer = (await (await ask(`/jobs/${ids[0]}/`, token)).json()) as { definition: string };
    expect(readYaml(answer.definition).value).toMatchObject({
      protocols: {
        "lava-multinode": {
          ...{ target_group: group, role: "server", group_size: 3, sub_id: `${ids[0]}.0` },
          roles: { [ids[0]]: "server", [ids[1]]: "server", [ids[2]]: "client" },
        },
      },
    });
  });

  test("stands still while the lab is closed for a move", async () => {
    await closeLab(lab.deps, lab.admin);
    const [one] = ids;
    const said = { messageID: "address", message: { ip: "10.0.0.7" } };
    for (const request of ["group_data", "lava_send", "lava_sync", "clear_group"]) {
      expect(await call(one, request, said)).toEqual({ response: "wait" });
    }
    await lab.deps.table.transact([{ delete: closedKey }]);
    expect(await call(one, "lava_wait", said)).toEqual({ response: "wait" });
    expect(await call(one, "lava_send", said)).toEqual({ response: "ack" });
    expect(await call(one, "lava_wait", said)).toMatchObject({ response: "ack" });
  });

  test("meets, whoever it asks", async () => {
    const [one, two, three] = ids;
    expect(await call(one, "group_data")).toEqual({ response: "wait" });
    expect(await call(two, "group_data")).toEqual({ response: "wait" });
    const roles = { [one]: "server", [two]: "server", [three]: "client" };
    expect(await oursAsks("group")).toEqual({ response: "group_data", roles });
    expect(await call(one, "group_data")).toEqual({ response: "group_data", roles });

    const messageID = "address";
    expect(await call(one, "lava_wait", { messageID })).toEqual({ response: "wait" });
    expect(await call(one, "lava_wait_all", { messageID })).toEqual({ response: "nack" });
    const message = { ip: "10.0.0.7", name: "a b" };
    expect(await call(two, "lava_send", { messageID, message })).toEqual({ response: "ack" });
    const data = { [two]: message };
    const wait = { message_id: messageID, call: 1, hold_seconds: 0 };
    expect(await oursAsks("wait", wait)).toEqual({ response: "ack", data });
    expect(await call(one, "lava_wait", { messageID })).toEqual({ response: "ack", message: data });
    expect(await call(one, "lava_wait_all", { messageID })).toEqual({ response: "wait" });
    const ofClient = { messageID, waitrole: "client" };
    expect(await call(one, "lava_wait_all", ofClient)).toEqual({ response: "wait" });
    await oursAsks("send", { message_id: messageID, data: { ok: "1" } });
    expect(await call(one, "lava_wait_all", ofClient)).toMatchObject({
      ...{ response: "ack", message: { [three]: { ok: "1" } } },
    });
    expect(await call(one, "clear_group")).toEqual({ response: "ack" });
    recorded("Stock workers", "multinode jobs");
  });

  test("is let go together, again and again at the same point", async () => {
    const messageID = "ready";
    const point = (n: number) =>
      oursAsks("sync", { message_id: messageID, call: n, hold_seconds: 0 });
    for (const round of [1, 2, 3]) {
      for (let again = 0; again < 2; again++) {
        expect(await call(ids[0], "lava_sync", { messageID })).toEqual({ response: "wait" });
      }
      expect(await point(round)).toEqual({ response: "wait" });
      const ack = { response: "ack", message: messageID };
      expect(await call(ids[1], "lava_sync", { messageID })).toEqual(ack);
      expect(await call(ids[0], "lava_sync", { messageID })).toEqual(ack);
      expect(await point(round)).toEqual({ response: "ack" });
    }
  });
});

describe("nobody else is heard", () => {
  test("neither a job of ours, of another group or that has ended, nor a guessed group", async () => {
    const nack = { response: "nack" };
    expect(await call(ids[2], "group_data")).toEqual(nack);
    expect(await call(ids[0], "group_data", {}, "11111111-1111-4111-8111-111111111111")).toEqual(
      nack,
    );
    expect(await call(9999, "group_data")).toEqual(nack);
    const { token } = (await ping()).running.find(({ id }) => id === ids[0])!;
    await end({ id: ids[0], token });
    expect(await call(ids[0], "group_data")).toEqual(nack);
  });

  test.each([
    ["no such request", framed('{"request":"shut_down"}')],
    ["a list", framed("[1]")],
    ["a message that no shell could read", framed('{"request":"lava_send","messageID":"a b"}')],
  ])("%s is refused", async (_what, sent) => {
    expect(await exchange(sent)).toMatch(/^[0-9a-f]{8}\{"response":"nack"\}$/);
  });

  test.each([
    ["what is no length", "GET / HTTP/1.1\r\n\r\n"],
    ["more than a call may have", "7fffffff{}"],
    ["less than was promised", "00000040{}"],
    ["nothing", ""],
    ["no JSON", framed("{")],
  ])("%s ends the connection", async (_what, sent) => {
    const said = await exchange(sent);
    expect(said === "" || said.includes("nack")).toBe(true);
    expect(await call(ids[1], "group_data")).toEqual({ response: "wait" });
  });

  test("who sends a byte now and then keeps no place", async () => {
    await coordinator.close();
    coordinator = await serveCoordinator(lab.deps, { host: "127.0.0.1", port: 0, callMs: 300 });
    const [, port] = /:(\d+)$/.exec(coordinator.address) ?? [];
    const socket = connect(Number(port), "127.0.0.1");
    socket.on("error", () => {});
    socket.write("000000ff");
    const dripping = setInterval(() => socket.write(" "), 50);
    await once(socket, "close");
    clearInterval(dripping);
    await coordinator.close();
    expect(lab.messages.filter((line) => line.startsWith("coordinator"))).toEqual([]);
  });
});
