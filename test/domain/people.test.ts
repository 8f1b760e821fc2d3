import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { DeviceView, JobList, JobView, Problem } from "#protocol/api.ts";
import type { GroupView } from "#protocol/lab-lists.ts";
import type { UserView } from "#protocol/people.ts";
import { setGroupsOf } from "../../control-plane/domain/groups.ts";
import { namedItem } from "../../control-plane/domain/named-items.ts";
import { userKey } from "../../control-plane/domain/people-keys.ts";
import { findUser, userAccess } from "../../control-plane/domain/users.ts";
import { aJob } from "../support/builders.ts";
import { embeddedLab, type EmbeddedLab } from "../support/embedded-lab.ts";

let lab: EmbeddedLab;
let alice: string;
beforeEach(async () => {
  lab = await embeddedLab();
  await lab.addWorker();
  await lab.addDevice("qemu-01");
  ({ token: alice } = await lab.addStranger("alice"));
});
afterEach(() => lab.close());

const grant = (where: string, to: string, permission: string, remove = false) =>
  lab.api(`/permissions/${where}`, { body: { to, permission, remove } });
const as = async (token: string, where: string, body?: unknown) => {
  const answer = await lab.request(where, { token, ...(body === undefined ? {} : { body }) });
  return { status: answer.status, ...((await answer.json()) as Partial<Problem>) };
};
const visible = async (token: string) => {
  const { devices } = await lab.api<{ devices: DeviceView[] }>("/devices", { token });
  return devices.map(({ hostname }) => hostname);
};

describe("a new lab", () => {
  test("has one administrator, and shows nothing to others until it is granted", async () => {
    expect(await lab.api("/me")).toEqual({ name: "admin", admin: true, groups: [] });
    expect(await visible(alice)).toEqual([]);
    expect((await as(alice, "/devices/qemu-01")).status).toBe(404);
    const refused = await as(alice, "/jobs", aJob());
    expect(refused).toMatchObject({ status: 400 });
    expect(refused.message).toContain(
      'unknown device type "qemu"; there is none yet that you may see: a first device',
    );
    await grant("lab/lab", "everyone", "submit");
    expect(await visible(alice)).toEqual(["qemu-01"]);
    expect((await as(alice, "/jobs", aJob())).status).toBe(201);
  });

  test("shows itself to people who are not signed in when it says so, and changes for none of them", async () => {
    expect((await lab.request("/devices", { token: null })).status).toBe(401);
    await grant("lab/lab", "anonymous", "view");
    expect((await lab.request("/devices", { token: null })).status).toBe(200);
    const change = { token: null, body: { health: "Bad" } };
    expect((await lab.request("/devices/qemu-01/health", change)).status).toBe(401);
    expect((await lab.request("/me", { token: null })).status).toBe(401);
    expect((await lab.request("/tokens", { token: null })).status).toBe(401);
    // A token that is no good is not the same as none.
    expect((await lab.request("/devices", { token: "pumice_no" })).status).toBe(401);
  });
});

describe("permissions", () => {
  test("of a group are those of its members, from the moment they join to the moment they leave", async () => {
    await lab.api("/groups/team", { method: "PUT", body: { members: [] } });
    await grant("device/qemu-01", "team", "change");
    expect(await visible(alice)).toEqual([]);
    await lab.api("/groups/team/members/alice", { method: "PUT" });
    expect(await visible(alice)).toEqual(["qemu-01"]);
    expect((await as(alice, "/devices/qemu-01/health", { health: "Bad" })).status).toBe(200);
    await lab.api("/groups/team/members/alice", { method: "DELETE" });
    expect(await visible(alice)).toEqual([]);
  });

  test("are granted to groups and users that there are", async () => {
    const { message, status } = await as(lab.adminToken, "/permissions/lab/lab", {
      ...{ to: "taem", permission: "view" },
    });
    expect([status, message]).toEqual([400, expect.stringContaining("there is no group taem")]);
    const none = { to: "user:nobody", permission: "view" };
    expect((await as(lab.adminToken, "/permissions/device/qemu-01", none)).status).toBe(400);
  });

  test("can't be widened by who may change a device but not administer it", async () => {
    await grant("device/qemu-01", "user:alice", "change");
    const { device_type, worker, tags, description } =
      await lab.api<DeviceView>("/devices/qemu-01");
    const { text } = await lab.api<{ text: string }>("/devices/qemu-01/config");
    const body = { device_type, worker, tags, description, configuration: text };
    const put = (more: object) =>
      lab.request("/devices/qemu-01", { method: "PUT", token: alice, body: { ...body, ...more } });
    expect((await put({ description: "hers" })).status).toBe(200);
    expect((await put({ permissions: { admin: ["user:alice"] } })).status).toBe(403);
    const own = { to: "user:alice", permission: "admin" };
    expect((await as(alice, "/permissions/device/qemu-01", own)).status).toBe(403);
    // What she put left them as they were.
    expect(await lab.api("/permissions/device/qemu-01")).toMatchObject({
      permissions: { change: ["user:alice"] },
    });
  });

  test("are changed by a token with the scope admin or none, not with the device", async () => {
    const { token } = await lab.api<{ token: string }>("/tokens", {
      body: { subject: "admin", description: "for workers", scopes: ["workers"] },
    });
    const { text } = await lab.api<{ text: string }>("/devices/qemu-01/config");
    const body = { device_type: "qemu", worker: "bench", configuration: text };
    const permissions = { admin: ["user:alice"] };
    const put = (where: string, more: object) =>
      lab.request(where, { method: "PUT", token, body: more });
    expect((await put("/devices/qemu-01", body)).status).toBe(200);
    expect((await put("/devices/qemu-01", { ...body, permissions })).status).toBe(403);
    expect((await put("/device-types/qemu", { permissions })).status).toBe(403);
    expect((await put("/workers/bench", { permissions })).status).toBe(403);
    expect(
      (await as(token, "/permissions/device/qemu-01", { to: "user:alice", permission: "admin" }))
        .status,
    ).toBe(403);
    expect(await lab.api("/permissions/device/qemu-01")).toMatchObject({ permissions: {} });
  });

  test("to move a device to another worker need the permission to change that", async () => {
    await lab.addWorker("far");
    await grant("device/qemu-01", "user:alice", "change");
    const { text } = await lab.api<{ text: string }>("/devices/qemu-01/config");
    const body = { device_type: "qemu", worker: "far", configuration: text };
    const move = () => lab.request("/devices/qemu-01", { method: "PUT", token: alice, body });
    expect((await move()).status).toBe(403);
    await grant("worker/far", "user:alice", "change");
    expect((await move()).status).toBe(200);
  });

  test("that are taken back keep a waiting job from the device, and the job says so", async () => {
    await grant("device-type/qemu", "user:alice", "submit");
    const { job_ids } = await lab.api<{ job_ids: number[] }>("/jobs", {
      token: alice,
      body: aJob(),
    });
    await grant("device-type/qemu", "user:alice", "submit", true);
    const worker = await lab.addWorker("second");
    await lab.addDevice("qemu-02", { worker: "second" });
    await lab.sync(worker);
    const job = await lab.job(job_ids[0]!);
    expect(job.state).toBe("Submitted");
    expect(job.waits_for).toContain("alice may not use");
    await grant("device-type/qemu", "user:alice", "submit");
    await lab.settled();
    expect((await lab.job(job_ids[0]!)).state).toBe("Scheduled");
  });

  test("leave devices out of a submission that may not be used, and of what is said about them", async () => {
    await lab.addDevice("qemu-secret", { tags: ["secret"] });
    await grant("device/qemu-01", "user:alice", "submit");
    expect((await as(alice, "/jobs", aJob())).status).toBe(201);
    for (const line of ["device: qemu-secret", "tags: [secret]"]) {
      const { status, message } = await as(alice, "/jobs", aJob({ lines: [line] }));
      expect(status).toBe(400);
      expect(message!.replace(line, "")).not.toMatch(/known are.*qemu-secret|there are.*secret/);
    }
  });

  test("count what they let somebody see", async () => {
    await lab.addDevice("qemu-02");
    await grant("device-type/qemu", "user:alice", "view");
    const { devices } = await lab.api<{ devices: number }>("/device-types/qemu", { token: alice });
    expect(devices).toBe(2);
    await lab.api("/settings", { method: "PUT", body: { settings: { access: { rule: "open" } } } });
    await grant("device/qemu-02", "user:admin", "view");
    await grant("device-type/qemu", "user:alice", "view", true);
    expect(await lab.api("/device-types/qemu", { token: alice })).toMatchObject({ devices: 1 });
  });
});

describe("a job's visibility", () => {
  test("hides it in lists, pages of any length and by its number", async () => {
    await grant("lab/lab", "everyone", "submit");
    const { token: bob } = await lab.addStranger("bob");
    await lab.api("/groups/team", { method: "PUT", body: { members: ["bob"] } });
    for (const visibility of ["public", "personal", "{group: [team]}"]) {
      await lab.api("/jobs", {
        token: alice,
        body: aJob().replace("visibility: public", `visibility: ${visibility}`),
      });
    }
    const ids = async (token: string) =>
      (await lab.api<JobList>("/jobs", { token })).jobs.map(({ id }) => id);
    const { token: carol } = await lab.addStranger("carol");
    expect(await ids(alice)).toEqual([3, 2, 1]);
    expect(await ids(bob)).toEqual([3, 1]);
    expect(await ids(carol)).toEqual([1]);
    expect(await as(carol, "/jobs/2")).toEqual({
      ...{ status: 404, code: "not_found", message: "there is no job 2" },
    });
    const first = await lab.api<JobList>("/jobs?limit=1", { token: carol });
    expect(first.jobs.map(({ id }) => id)).toEqual([1]);
    expect(await lab.api<JobView>("/jobs/3", { token: bob })).toMatchObject({
      ...{ visibility: "group", viewing_groups: ["team"] },
    });
  });

  test("holds for the answer to who cancels it because they may change its device", async () => {
    await grant("lab/lab", "everyone", "submit");
    const { token: bob } = await lab.addStranger("bob");
    await grant("device-type/qemu", "user:bob", "change");
    const text = aJob()
      .replace("visibility: public", "visibility: personal")
      .replace(/job_name: .*/, "job_name: secret plan");
    for (const where of ["", ""]) await lab.api(`/jobs${where}`, { token: alice, body: text });
    const urged = await lab.request("/jobs/2", {
      method: "PATCH",
      token: bob,
      body: { priority: 90 },
    });
    const canceled = await lab.request("/jobs/2/cancel", { method: "POST", token: bob });
    for (const answer of [urged, canceled]) {
      expect(answer.status).toBe(200);
      const told = await answer.text();
      expect(told).toContain('"id":2');
      expect(told).not.toMatch(/secret plan|alice/);
    }
    expect(await lab.job(2)).toMatchObject({ health: "Canceled", description: "secret plan" });
  });

  test("names groups that there are", async () => {
    const text = aJob().replace("visibility: public", "visibility: {group: [none]}");
    const { status, message } = await as(lab.adminToken, "/jobs", text);
    expect(status).toBe(400);
    expect(message).toContain('unknown group "none"');
  });
});

describe("a user who is deactivated", () => {
  test("is refused at once, whatever they come with, and their jobs wait", async () => {
    await grant("lab/lab", "everyone", "submit");
    const { job_ids } = await lab.api<{ job_ids: number[] }>("/jobs", {
      token: alice,
      body: aJob(),
    });
    await lab.api("/users/alice", { method: "PATCH", body: { active: false } });
    expect((await as(alice, "/me")).status).toBe(401);
    const worker = await lab.addWorker("second");
    await lab.addDevice("qemu-02", { worker: "second" });
    await lab.sync(worker);
    const job = await lab.job(job_ids[0]!);
    expect(job.state).toBe("Submitted");
    expect(job.waits_for).toContain("user alice is not active");
    await lab.api("/users/alice", { method: "PATCH", body: { active: true } });
    expect((await as(alice, "/me")).status).toBe(200);
  });

  test("is never the administrator who does it, so that there is always one", async () => {
    for (const body of [{ active: false }, { admin: false }]) {
      const answer = await lab.request("/users/admin", { method: "PATCH", body });
      expect(answer.status).toBe(409);
    }
  });
});

describe("an administrator", () => {
  test("is one by their record: a token alone makes none, and one that is none of an administrator's stays so", async () => {
    await lab.api("/users/alice", { method: "PATCH", body: { admin: true } });
    expect((await as(alice, "/users")).status).toBe(403);
    const { token } = await lab.api<{ token: string }>("/tokens", {
      body: { subject: "alice", admin: true },
    });
    expect((await as(token, "/users")).status).toBe(200);
    await lab.api("/users/alice", { method: "PATCH", body: { admin: false } });
    expect((await as(token, "/users")).status).toBe(403);
  });

  test.each(["lava-health", "everyone", "anonymous"])(
    "can't make a user of the name %s",
    async (name) => {
      expect((await as(lab.adminToken, "/users", { name })).status).toBe(400);
      expect((await as(lab.adminToken, "/tokens", { subject: name })).status).toBe(400);
      const group = await lab.request(`/groups/${name}`, { method: "PUT", body: { members: [] } });
      expect(group.status).toBe(400);
    },
  );
});

describe("groups and their members' records", () => {
  test("agree, also of a group that is larger than one transaction", async () => {
    const names = Array.from({ length: 130 }, (_, n) => `user-${n}`);
    const put = (members: string[]) =>
      lab.api<GroupView>("/groups/all", { method: "PUT", body: { members } });
    expect((await put(names)).members).toHaveLength(130);
    expect((await userAccess(lab.deps, "user-129")).groups).toEqual(["all"]);
    await put(names.slice(100));
    expect((await userAccess(lab.deps, "user-7")).groups).toEqual([]);
    expect((await userAccess(lab.deps, "user-129")).groups).toEqual(["all"]);
    await lab.request("/groups/all", { method: "DELETE" });
    expect((await userAccess(lab.deps, "user-129")).groups).toEqual([]);
  });

  test("follow a provider's word among the groups of its prefix only", async () => {
    await lab.api("/groups/own", { method: "PUT", body: { members: ["alice"] } });
    const set = (groups: string[]) =>
      setGroupsOf(lab.deps, "alice", { prefix: "oidc-", groups }, { who: "alice" });
    await set(["oidc-a", "oidc-b"]);
    expect((await userAccess(lab.deps, "alice")).groups).toEqual(["oidc-a", "oidc-b", "own"]);
    await set(["oidc-b"]);
    expect((await userAccess(lab.deps, "alice")).groups).toEqual(["oidc-b", "own"]);
    expect(await lab.api("/groups")).toMatchObject({
      groups: [
        { name: "oidc-a", members: [] },
        { name: "oidc-b", members: ["alice"] },
        { name: "own" },
      ],
    });
  });
});

describe("a lab of an older version, which kept no users", () => {
  beforeEach(async () => {
    // As it was: tokens, and groups that name people.
    await lab.deps.table.transact([
      { delete: userKey("alice") },
      { delete: userKey("admin") },
      { put: namedItem("groups", { name: "old", description: "", members: ["alice"] } as never) },
    ]);
  });

  test("lets its people in as before, with their groups", async () => {
    expect(await as(alice, "/me")).toMatchObject({ name: "alice", admin: false, groups: ["old"] });
    expect(await lab.api("/me")).toMatchObject({ name: "admin", admin: true });
    expect(await userAccess(lab.deps, "admin")).toMatchObject({ admin: true, active: true });
  });

  test("has them all as users once somebody looks", async () => {
    const { users } = await lab.api<{ users: UserView[] }>("/users");
    expect(users.map(({ name, admin, groups }) => [name, admin, groups])).toEqual([
      ["admin", true, []],
      ["alice", false, ["old"]],
    ]);
    expect((await findUser(lab.deps, "alice"))?.data).toMatchObject({ groups: ["old"] });
  });
});
