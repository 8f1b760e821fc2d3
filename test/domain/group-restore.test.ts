import { afterEach, beforeEach, expect, test } from "vitest";
import type { BackupItem, BackupPage } from "#protocol/backup.ts";
import type { JobRecord } from "../../control-plane/domain/job-record.ts";
import { jobKey } from "../../control-plane/domain/keys.ts";
import { multinodeBlob } from "../../control-plane/domain/blob-names.ts";
import { tick } from "../../control-plane/domain/tick.ts";
import { embeddedLab, type EmbeddedLab } from "../support/embedded-lab.ts";
import {
  aGroupJob,
  aGuestRole,
  aRole,
  ask,
  startGroup,
  type Member,
} from "../support/group-job.ts";

let lab: EmbeddedLab;
let copy: EmbeddedLab;
let worker: string;
beforeEach(async () => {
  [lab, copy] = [await embeddedLab(), await embeddedLab()];
  worker = await lab.addWorker();
  for (const name of ["q1", "q2"]) await lab.addDevice(name);
});
afterEach(async () => {
  await lab.close();
  await copy.close();
});

async function backup(): Promise<BackupPage> {
  const all: BackupPage = await lab.api("/backup/items");
  for (let page = all; page.cursor !== undefined;) {
    page = await lab.api(`/backup/items?cursor=${encodeURIComponent(page.cursor)}`);
    all.items.push(...page.items);
  }
  return all;
}

async function restore(items: BackupItem[]): Promise<void> {
  const where = "/backup/restore/0123456789abcdef";
  const put = async (path: string, body: unknown) => {
    const answer = await copy.request(`${where}${path}`, { method: "PUT", body });
    expect([path, answer.status]).toEqual([path, 200]);
  };
  await put("", { format: 1 });
  for (let at = 0; at < items.length; at += 100) {
    await put("/items", { items: items.slice(at, at + 100) });
  }
  await put("/settle", {});
  await put("/end", {});
  await copy.settled();
}

const jobOf = async (id: number) => (await copy.deps.table.get<JobRecord>(jobKey(id)))!.data;

test("a group in the middle of its talk goes on in the lab that its backup is restored into", async () => {
  const roles = { host: aRole(), client: aRole(), guest: aGuestRole() };
  const members = (await startGroup(lab, aGroupJob(roles), [worker])) as [Member, Member, Member];
  const [host, client, guest] = members;
  for (const member of members) await ask(lab, member, "group");
  await ask(lab, host, "send", { message_id: "ip", data: { addr: "10.0.0.1" }, call: 1 });
  await ask(lab, client, "sync", { message_id: "here", call: 1 });
  await restore((await backup()).items);

  const runners = members.map(({ id }) => ({ job_id: id, state: "running" as const }));
  const { cancel, forget, lost } = await copy.sync(worker, runners);
  expect([cancel, forget, lost]).toEqual([[], [], []]);
  const data = { [host.id]: { addr: "10.0.0.1" } };
  const reply = await ask(copy, guest, "wait", { message_id: "ip", call: 1 });
  expect(reply).toEqual({ response: "ack", data });
  await ask(copy, host, "sync", { message_id: "here", call: 2 });
  const met = await ask(copy, guest, "sync", { message_id: "here", call: 2 });
  expect(met).toEqual({ response: "ack" });
  for (const { id, token } of members) {
    expect((await copy.finish(id, token, { result: "pass", lines: 0 })).status).toBe(200);
  }
  expect((await copy.deps.table.query("i1", "open-multinode")).items).toEqual([]);
});

test("what was submitted is among the files of a backup", async () => {
  await lab.api("/jobs", { body: aGroupJob() });
  const { blobs } = await backup();
  expect(blobs.map(({ key }) => key)).toContain(multinodeBlob(2));
});

test("a group that began while the backup was made ends, rather than wait for ever", async () => {
  await lab.api("/jobs", { body: aGroupJob() });
  const before = await backup();
  await lab.sync(worker);
  await lab.settled();
  const after = await backup();
  const isFirst = ({ key }: BackupItem) => key.partition === "job#1";
  const torn = [...after.items.filter((item) => !isFirst(item)), ...before.items.filter(isFirst)];
  await restore(torn);
  await tick(copy.deps);
  const [first, second] = [await jobOf(1), await jobOf(2)];
  expect(first).toMatchObject({ state: "Finished", health: "Canceled" });
  expect(first.error_msg).toContain("while the backup was made");
  expect(second.state).toBe("Canceling");
});
