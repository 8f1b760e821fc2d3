import * as v from "valibot";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Problem } from "#protocol/api.ts";
import { MAX_MESSAGES, MAX_SYNC_POINTS, messageReplySchema } from "#protocol/multinode.ts";
import { memberKey } from "../../control-plane/domain/multinode-keys.ts";
import { isOnAws } from "../support/test-engine.ts";
import { embeddedLab, type EmbeddedLab } from "../support/embedded-lab.ts";
import {
  aGroupJob,
  aGuestRole,
  aRole,
  ask,
  startGroup,
  type Member,
} from "../support/group-job.ts";
import { lacking } from "../support/lacking.ts";

let lab: EmbeddedLab;
let worker: string;
let server: Member;
let first: Member;
let second: Member;
beforeEach(async () => {
  lab = await embeddedLab();
  worker = await lab.addWorker();
  for (const name of ["q1", "q2", "q3"]) await lab.addDevice(name);
  const roles = { server: aRole(), client: aRole(2) };
  [server, first, second] = (await startGroup(lab, aGroupJob(roles), [worker])) as [
    Member,
    Member,
    Member,
  ];
});
afterEach(() => lab.close());

const send = (member: Member, message_id: string, data: Record<string, string>, call = 0) =>
  ask(lab, member, "send", { message_id, data, call });
const wait = (member: Member, message_id: string) =>
  ask(lab, member, "wait", { message_id, call: 1 });
const waitAll = (member: Member, message_id: string, role?: string) =>
  ask(lab, member, "wait-all", { message_id, call: 1, ...(role ? { role } : {}) });
const sync = (member: Member, message_id: string, call: number) =>
  ask(lab, member, "sync", { message_id, call });

// Where there are no bells for it nobody is held back: what is answered at once is skipped there.
const WAIT = { response: "wait" };
const ACK = { response: "ack" };

async function refused(member: Member, what: string, body: object): Promise<[number, Problem]> {
  const where = `/jobs/${member.id}/multinode/${what}`;
  const response = await lab.request(where, { token: member.token, body });
  return [response.status, (await response.json()) as Problem];
}

describe("group", () => {
  test("waits until all members have begun, then says which job has which role", async () => {
    expect(await ask(lab, server, "group")).toEqual(WAIT);
    expect(await ask(lab, first, "group")).toEqual(WAIT);
    // Asking again counts once.
    expect(await ask(lab, first, "group")).toEqual(WAIT);
    const all = { response: "group_data", roles: { 1: "server", 2: "client", 3: "client" } };
    expect(await ask(lab, second, "group")).toEqual(all);
    expect(await ask(lab, server, "group")).toEqual(all);
  });

  test.skipIf(lacking(isOnAws, "only the embedded engine has this"))(
    "is answered as soon as the last one comes",
    async () => {
      await ask(lab, first, "group");
      const early = ask(lab, server, "group", { hold_seconds: 20 });
      await ask(lab, second, "group");
      expect(await early).toMatchObject({ response: "group_data" });
    },
  );

  test("counts the members of dynamic roles", async () => {
    await lab.addDevice("q4");
    const roles = { host: aRole(), guest: aGuestRole() };
    const [host, guest] = (await startGroup(lab, aGroupJob(roles), [worker])) as [Member, Member];
    expect(await ask(lab, host, "group")).toEqual(WAIT);
    const all = { response: "group_data", roles: { 4: "host", 5: "guest" } };
    expect(await ask(lab, guest, "group")).toEqual(all);
  });
});

describe("send", () => {
  test("is acknowledged, and each member has the message from then on, the sender too", async () => {
    expect(await send(server, "ip", { addr: "10.0.0.1" })).toEqual(ACK);
    for (const member of [server, first, second]) {
      expect(await wait(member, "ip")).toEqual({ ...ACK, data: { 1: { addr: "10.0.0.1" } } });
    }
  });

  test("reaches those who begin later, and is never used up", async () => {
    await send(server, "ip", {});
    expect(await wait(first, "ip")).toEqual(await wait(first, "ip"));
  });

  test("again replaces what its sender has sent under the id", async () => {
    await send(server, "ip", { old: "1" }, 1);
    await send(server, "ip", { new: "2" }, 2);
    expect(await wait(first, "ip")).toEqual({ ...ACK, data: { 1: { new: "2" } } });
  });

  test("that was long on its way replaces nothing that was sent after it", async () => {
    await send(server, "ip", { new: "2" }, 2);
    expect(await send(server, "ip", { old: "1" }, 1)).toEqual(ACK);
    expect(await wait(first, "ip")).toEqual({ ...ACK, data: { 1: { new: "2" } } });
  });

  test("takes values with spaces, as a signal can carry them", async () => {
    await send(server, "banner", { text: "hello from board 1", empty: "" });
    const data = { 1: { text: "hello from board 1", empty: "" } };
    expect(await wait(first, "banner")).toEqual({ ...ACK, data });
  });

  test("keeps keys whatever they are called", async () => {
    const data = JSON.parse('{"prototype": "1", "constructor": "2", "__proto__": "3"}') as Record<
      string,
      string
    >;
    expect(await send(server, "board", data)).toEqual(ACK);
    const reply = await wait(first, "board");
    expect(Object.entries("data" in reply ? reply.data["1"]! : {})).toEqual(Object.entries(data));
    expect(v.parse(messageReplySchema, reply)).toEqual(reply);
  });

  test("of more than 64 KiB is refused, one of 64 KiB is not", async () => {
    expect(await send(server, "m", { k: "x".repeat(64 * 1024 - 1) })).toEqual(ACK);
    const [status, problem] = await refused(server, "send", {
      message_id: "m",
      data: { k: "x".repeat(64 * 1024) },
    });
    expect([status, problem.code]).toEqual([413, "too_large"]);
    expect(problem.message).toContain("message m is too long");
  });

  test.each([
    ["an id with a space", { message_id: "a b" }],
    ["an id with >", { message_id: "a>" }],
    ["a key with =", { message_id: "a", data: { "k=": "v" } }],
    ["a value of two lines", { message_id: "a", data: { k: "1\n2" } }],
    ["a value with >", { message_id: "a", data: { k: ">" } }],
  ])("with %s is refused: it could not be typed at the other end", async (_, body) => {
    const [status, problem] = await refused(server, "send", body);
    expect([status, problem.code]).toEqual([400, "invalid"]);
  });

  test("of too many different messages is refused", async () => {
    for (let n = 0; n < MAX_MESSAGES; n++) await send(server, `m${n}`, {});
    expect(await send(server, "m0", { again: "1" })).toEqual(ACK);
    const [status, problem] = await refused(server, "send", { message_id: "more" });
    expect([status, problem.code]).toEqual([409, "conflict"]);
    expect(problem.message).toContain(String(MAX_MESSAGES));
    expect(await send(first, "more", {})).toEqual(ACK);
  });
});

describe("wait", () => {
  test("waits until any member has sent the message, and has all that was sent by then", async () => {
    expect(await wait(first, "go")).toEqual(WAIT);
    await send(server, "go", { a: "1" });
    await send(second, "go", { b: "2" });
    expect(await wait(first, "go")).toEqual({ ...ACK, data: { 1: { a: "1" }, 3: { b: "2" } } });
  });

  test("is content with what oneself has sent", async () => {
    await send(first, "go", {});
    expect(await wait(first, "go")).toEqual({ ...ACK, data: { 2: {} } });
  });

  test.skipIf(lacking(isOnAws, "only the embedded engine has this"))(
    "is answered as soon as it is sent",
    async () => {
      const waiting = ask(lab, first, "wait", { message_id: "go", call: 1, hold_seconds: 20 });
      await send(server, "go", {});
      expect(await waiting).toMatchObject(ACK);
    },
  );

  test("does not mix ids of which one begins like the other", async () => {
    await send(server, "go#1", {});
    expect(await wait(first, "go")).toEqual(WAIT);
  });
});

describe("wait-all", () => {
  test("is refused at once while nobody has sent", async () => {
    expect(await waitAll(first, "done")).toMatchObject({ response: "nack" });
  });

  test("waits until each member has sent, the one who asks among them", async () => {
    await send(server, "done", { n: "1" });
    await send(second, "done", { n: "3" });
    expect(await waitAll(first, "done")).toEqual(WAIT);
    await send(first, "done", { n: "2" });
    expect(await waitAll(first, "done")).toEqual({
      ...ACK,
      data: { 1: { n: "1" }, 2: { n: "2" }, 3: { n: "3" } },
    });
  });

  test("for a role waits for all members of it (where LAVA was content with the first), not for who asks", async () => {
    expect(await waitAll(server, "done", "client")).toEqual(WAIT);
    await send(first, "done", {});
    expect(await waitAll(server, "done", "client")).toEqual(WAIT);
    await send(second, "done", {});
    expect(await waitAll(server, "done", "client")).toEqual({ ...ACK, data: { 2: {}, 3: {} } });
  });

  test("for a role that the group has not is refused", async () => {
    await send(server, "done", {});
    const reply = await waitAll(first, "done", "nobody");
    expect(reply).toEqual({ response: "nack", message: 'the group has no role "nobody"' });
  });
});

describe("sync", () => {
  test("lets all go once all have come", async () => {
    expect(await sync(server, "here", 1)).toEqual(WAIT);
    expect(await sync(first, "here", 1)).toEqual(WAIT);
    expect(await sync(second, "here", 1)).toEqual(ACK);
    expect(await sync(server, "here", 1)).toEqual(ACK);
    expect(await sync(first, "here", 1)).toEqual(ACK);
  });

  test("counts a call once, however often it is repeated", async () => {
    for (const _ of [1, 2, 3]) expect(await sync(server, "here", 1)).toEqual(WAIT);
    expect(await sync(first, "here", 1)).toEqual(WAIT);
  });

  test("of an id that was used before is a new meeting", async () => {
    for (const member of [server, first, second]) await sync(member, "here", 1);
    for (const member of [server, first]) await sync(member, "here", 1);
    expect(await sync(server, "here", 2)).toEqual(WAIT);
    expect(await sync(first, "here", 2)).toEqual(WAIT);
    expect(await sync(second, "here", 2)).toEqual(ACK);
    expect(await sync(server, "here", 2)).toEqual(ACK);
  });

  test("of the next meeting does not take the place of one who was not told yet", async () => {
    for (const member of [server, first, second]) await sync(member, "here", 1);
    // The last is quick: it is at the next meeting before the others have heard of this one.
    expect(await sync(second, "here", 2)).toEqual(WAIT);
    expect(await sync(server, "here", 1)).toEqual(ACK);
    expect(await sync(first, "here", 1)).toEqual(ACK);
    expect(await sync(server, "here", 2)).toEqual(WAIT);
    expect(await sync(first, "here", 2)).toEqual(ACK);
  });

  test("that was long on its way stands for nobody at a later meeting", async () => {
    for (const member of [server, first, second]) await sync(member, "here", 1);
    for (const member of [server, first]) await sync(member, "here", 1);
    for (const member of [server, first, second]) await sync(member, "here", 2);
    for (const member of [server, first]) await sync(member, "here", 2);
    expect(await sync(server, "here", 1)).toEqual(WAIT);
    expect(await sync(first, "here", 3)).toEqual(WAIT);
    // The server's first does not take the place of its third.
    expect(await sync(second, "here", 3)).toEqual(WAIT);
    expect(await sync(second, "here", 2)).toEqual(ACK);
    expect(await sync(server, "here", 3)).toEqual(ACK);
    expect(await sync(second, "here", 3)).toEqual(ACK);
  });

  test("of too many different ids is refused", async () => {
    const key = memberKey((await lab.job(server.id)).group ?? "", server.id);
    const data = { job_id: server.id, started: "", messages: 0, sync_points: MAX_SYNC_POINTS - 1 };
    await lab.deps.table.transact([{ put: { key, data } }]);
    expect(await sync(server, "last", 1)).toEqual(WAIT);
    const [status, problem] = await refused(server, "sync", { message_id: "more", call: 2 });
    expect([status, problem.code]).toEqual([409, "conflict"]);
    expect(problem.message).toContain(String(MAX_SYNC_POINTS));
    // Who comes later to a point has not made it.
    expect(await sync(server, "last", 3)).toEqual(WAIT);
    await sync(first, "more", 1);
    expect(await sync(server, "more", 4)).toEqual(WAIT);
  });

  test("that one gave up waiting for lets its next call go, when the others have come meanwhile", async () => {
    expect(await sync(server, "here", 1)).toEqual(WAIT);
    await sync(first, "here", 1);
    await sync(second, "here", 1);
    expect(await sync(server, "here", 2)).toEqual(ACK);
    expect(await sync(server, "here", 2)).toEqual(ACK);
    expect(await sync(server, "here", 3)).toEqual(WAIT);
  });

  test.skipIf(lacking(isOnAws, "only the embedded engine has this"))(
    "is answered as soon as the last one comes",
    async () => {
      await sync(first, "here", 1);
      const waiting = ask(lab, server, "sync", { message_id: "here", call: 1, hold_seconds: 20 });
      await sync(second, "here", 1);
      expect(await waiting).toEqual(ACK);
    },
  );
});

test("whoever finishes keeps nobody from anything", async () => {
  await send(second, "done", {});
  expect(await ask(lab, second, "finish")).toEqual(ACK);
  expect(await ask(lab, second, "finish")).toEqual(ACK);
  expect(await wait(first, "done")).toMatchObject(ACK);
});

test("what was said outlasts the control plane: the same questions get the same answers after a restart", async () => {
  await ask(lab, server, "group");
  await send(server, "ip", { a: "1" });
  await sync(first, "here", 1);
  await sync(server, "here", 1);
  await lab.reopen();
  await ask(lab, first, "group");
  expect(await ask(lab, second, "group")).toMatchObject({ response: "group_data" });
  expect(await wait(second, "ip")).toEqual({ ...ACK, data: { 1: { a: "1" } } });
  expect(await sync(second, "here", 1)).toEqual(ACK);
  expect(await sync(first, "here", 1)).toEqual(ACK);
});

test("what one group says no other hears", async () => {
  for (const name of ["q4", "q5"]) await lab.addDevice(name);
  const [other] = await startGroup(lab, aGroupJob(), [worker]);
  await send(server, "ip", {});
  expect(await wait(other!, "ip")).toEqual(WAIT);
});

test("a job of no group has nobody to talk to, and one that has ended neither", async () => {
  await lab.addDevice("q4");
  const id = await lab.submit();
  const { start } = await lab.sync(worker);
  const alone = { id, token: start.find(({ job_id }) => job_id === id)!.token };
  expect((await refused(alone, "group", {}))[0]).toBe(409);
  // While it is being canceled its end is still to be said.
  await lab.request(`/jobs/${server.id}/cancel`, { method: "POST" });
  expect(await ask(lab, server, "finish")).toEqual(ACK);
  await lab.finish(server.id, server.token, { result: "fail", lines: 0 });
  expect((await refused(server, "finish", {}))[0]).toBeGreaterThanOrEqual(401);
});

test("where answers are not held back they say when to ask again", async () => {
  const elsewhere = await embeddedLab({ logHoldSeconds: 0 });
  try {
    const token = await elsewhere.addWorker();
    for (const name of ["q1", "q2"]) await elsewhere.addDevice(name);
    const [member] = await startGroup(elsewhere, aGroupJob(), [token]);
    const reply = await ask(elsewhere, member!, "group", { hold_seconds: 20 });
    expect(reply).toEqual({ response: "wait", poll_seconds: 2 });
  } finally {
    await elsewhere.close();
  }
});
