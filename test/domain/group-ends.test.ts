import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { DeviceView } from "#protocol/api.ts";
import type { FinishRequest } from "#protocol/worker-api.ts";
import { groupDue, groupItem, type GroupRecord } from "../../control-plane/domain/group-record.ts";
import { callerOf, sendMessage } from "../../control-plane/domain/group-calls.ts";
import { findJobItem, jobItem } from "../../control-plane/domain/job-record.ts";
import { multinodeKey } from "../../control-plane/domain/multinode-keys.ts";
import { syncAt } from "../../control-plane/domain/sync-point.ts";
import { tick } from "../../control-plane/domain/tick.ts";
import { authenticate } from "../../control-plane/domain/tokens.ts";
import { embeddedLab, type EmbeddedLab } from "../support/embedded-lab.ts";
import {
  aGroupJob,
  aGuestRole,
  aRole,
  ask,
  startGroup,
  type Member,
} from "../support/group-job.ts";

const FAILED: FinishRequest = { result: "fail", error_type: "Test", error_msg: "no", lines: 0 };
const PASSED: FinishRequest = { result: "pass", lines: 0 };
const ESSENTIAL = aRole(1, "device_type: qemu, essential: true");

let lab: EmbeddedLab;
let worker: string;
beforeEach(async () => {
  lab = await embeddedLab({ jobLeaseSeconds: 600 });
  worker = await lab.addWorker();
  for (const name of ["q1", "q2", "q3"]) await lab.addDevice(name);
});
afterEach(() => lab.close());

const start = (roles: Record<string, string>) => startGroup(lab, aGroupJob(roles), [worker]);
const ends = (...members: readonly Member[]) =>
  Promise.all(
    members.map(async ({ id }) => {
      const { state, health } = await lab.job(id);
      return state === "Finished" ? health : state;
    }),
  );
const itemsOf = async (group = "") => {
  const { items } = await lab.deps.table.query("main", multinodeKey(group).partition);
  return items.map(({ key }) => key.sort);
};

/** Stops the runners that the worker is told to stop. */
async function obey(members: readonly Member[]): Promise<void> {
  const runners = members.map(({ id }) => ({
    job_id: id,
    state: "running" as const,
    log_lines: 0,
  }));
  const { cancel } = await lab.sync(worker, runners);
  for (const { id, token } of members) {
    if (!cancel.includes(id)) continue;
    await lab.finish(id, token, { result: "fail", error_type: "Canceled", lines: 0 });
  }
}

describe("when a job ends Incomplete", () => {
  test("of an essential role, all others are canceled, and each says why", async () => {
    const [server, client] = (await start({ server: ESSENTIAL, client: aRole() })) as [
      Member,
      Member,
    ];
    await lab.finish(server.id, server.token, FAILED);
    expect(await ends(server, client)).toEqual(["Incomplete", "Canceling"]);
    await obey([client]);
    expect(await ends(client)).toEqual(["Canceled"]);
    const { notes } = await lab.job(client.id);
    expect(notes).toEqual([
      "job 1 (1.0, role server) of the same group, which is essential, ended Incomplete",
    ]);
  });

  test("of another role, nobody else is touched", async () => {
    const [server, client] = (await start({ server: ESSENTIAL, client: aRole() })) as [
      Member,
      Member,
    ];
    await lab.finish(client.id, client.token, FAILED);
    expect(await ends(server, client)).toEqual(["Running", "Incomplete"]);
    await lab.finish(server.id, server.token, PASSED);
    expect(await ends(server, client)).toEqual(["Complete", "Incomplete"]);
  });

  test("of an essential role, those that have ended stay as they ended", async () => {
    const [server, one, two] = (await start({ server: ESSENTIAL, client: aRole(2) })) as [
      Member,
      Member,
      Member,
    ];
    await lab.finish(one.id, one.token, PASSED);
    await lab.finish(server.id, server.token, FAILED);
    expect(await ends(server, one, two)).toEqual(["Incomplete", "Complete", "Canceling"]);
  });

  test("because its worker was silent too long, an essential one takes the others along", async () => {
    const other = await lab.addWorker("other");
    await lab.addDevice("o1", { worker: "other" });
    const roles = {
      server: aRole(1, "device_type: qemu, essential: true, worker: other"),
      client: aRole(1, "device_type: qemu, worker: bench"),
    };
    const [server, client] = (await startGroup(lab, aGroupJob(roles), [worker, other])) as [
      Member,
      Member,
    ];
    lab.pass(500);
    await lab.sync(worker, [{ job_id: client.id, state: "running" }]);
    lab.pass(300);
    await tick(lab.deps);
    expect(await ends(server, client)).toEqual(["Incomplete", "Canceling"]);
  });
});

describe("when a person cancels one job", () => {
  test("all of a running group are canceled, essential or not", async () => {
    const members = await start({ server: aRole(), client: aRole(2) });
    await lab.api(`/jobs/${members[1]!.id}/cancel`, { method: "POST" });
    expect(await ends(...members)).toEqual(["Canceling", "Canceling", "Canceling"]);
    await obey(members);
    expect(await ends(...members)).toEqual(["Canceled", "Canceled", "Canceled"]);
    const idle = await lab.api<DeviceView>("/devices/q1");
    expect(idle.state).toBe("Idle");
  });

  test("all of a waiting group end at once", async () => {
    const { job_ids } = await lab.api<{ job_ids: number[] }>("/jobs", { body: aGroupJob() });
    await lab.api(`/jobs/${job_ids[1]}/cancel`, { method: "POST" });
    const members = job_ids.map((id) => ({ id, token: "" }));
    expect(await ends(...members)).toEqual(["Canceled", "Canceled"]);
    expect((await lab.job(job_ids[0]!)).error_msg).toBe(
      "job 2 (1.1, role client) of the same group was canceled",
    );
  });

  test("guests of dynamic roles go, too", async () => {
    const members = await start({ host: aRole(), guest: aGuestRole(2) });
    await lab.api(`/jobs/${members[0]!.id}/cancel`, { method: "POST" });
    expect(await ends(...members)).toEqual(["Canceling", "Canceling", "Canceling"]);
  });
});

test("what a crash has cut short, the next tick ends, however many other groups there are", async () => {
  const members = await start({ server: aRole(), client: aRole(2) });
  // As if we had died after the first write.
  const item = (await findJobItem(lab.deps, members[0]!.id))!;
  const canceling = { ...item.data, state: "Canceling" as const };
  await lab.deps.table.transact([
    { put: jobItem(canceling), when: { version: item.version } },
    ...groupDue(lab.deps, canceling),
  ]);
  for (let n = 0; n < 12; n++) {
    const id = `00000000-0000-4000-8000-${String(n).padStart(12, "0")}`;
    const group = { id, submitter: "a", submit_time: "", members: [] };
    await lab.deps.table.transact([{ put: groupItem(group) }]);
  }
  expect(await ends(...members)).toEqual(["Canceling", "Running", "Running"]);
  await tick(lab.deps);
  expect(await ends(...members)).toEqual(["Canceling", "Canceling", "Canceling"]);
});

test("when all jobs have ended, what they said is forgotten; who they were is not", async () => {
  const members = await start({ server: aRole(), client: aRole() });
  const { group } = await lab.job(members[0]!.id);
  for (const member of members) {
    await ask(lab, member, "group");
    await ask(lab, member, "send", { message_id: "m", data: {} });
    await ask(lab, member, "sync", { message_id: "s", call: 1 });
  }
  expect((await itemsOf(group)).length).toBe(6);
  await lab.finish(members[0]!.id, members[0]!.token, PASSED);
  expect((await itemsOf(group)).length).toBe(6);
  await lab.finish(members[1]!.id, members[1]!.token, PASSED);
  expect(await itemsOf(group)).toEqual(["group"]);
  const record = await lab.deps.table.get<GroupRecord>(multinodeKey(group!));
  expect(record?.data.ended).toBeDefined();
  expect((await lab.deps.table.query("i1", "open-multinode")).items).toEqual([]);
  expect((await lab.job(2)).members).toMatchObject([
    { id: 1, sub_id: "1.0", role: "server", health: "Complete" },
    { id: 2, sub_id: "1.1", role: "client", health: "Complete" },
  ]);
});

test("what is said just as the last job ends does not stay for ever", async () => {
  const members = await start({ server: aRole(), client: aRole() });
  const { group } = await lab.job(members[0]!.id);
  const caller = await callerOf(lab.deps, (await authenticate(lab.deps, members[0]!.token))!, 1);
  for (const { id, token } of members) await lab.finish(id, token, PASSED);
  // They were on their way when the group ended.
  await sendMessage(lab.deps, caller, { message_id: "m", data: {}, call: 1 });
  await syncAt(lab.deps, caller, { message_id: "s", call: 2 });
  expect((await itemsOf(group)).length).toBe(4);
  lab.pass(401 * 24 * 3600);
  expect(await itemsOf(group)).toEqual(["group"]);
});

test("a job of a group is not tried again where its device type's jobs are", async () => {
  await lab.api("/device-types/qemu", { method: "PUT", body: { retry_on: "infrastructure" } });
  const [server] = await start({ server: aRole(), client: aRole() });
  await lab.finish(server!.id, server!.token, { ...FAILED, error_type: "Infrastructure" });
  expect(await ends(server!)).toEqual(["Incomplete"]);
});
