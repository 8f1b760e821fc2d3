import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { keepJob } from "../../control-plane/domain/retention/kept-jobs.ts";
import { aJob } from "../support/builders.ts";
import { embeddedLab, type EmbeddedLab } from "../support/embedded-lab.ts";
import { restClient } from "../support/rest-client.ts";

/* What LAVA's REST API changes, beside what test/lava/rest-lab.test.ts and rest-jobs.test.ts ask of it; asked of a LAVA 2023.01 first. */

let lab: EmbeddedLab;
let worker: string;
beforeEach(async () => {
  lab = await embeddedLab();
  worker = await lab.addWorker();
  await lab.addDevice("qemu-01");
});
afterEach(() => lab.close());
const { ask, json } = restClient(() => lab);
const REQUIRED = ["This field is required."];

/** A job that has ended, with a result. */
async function ended(): Promise<number> {
  await lab.sync(worker);
  const id = await lab.submit();
  const { start } = await lab.sync(worker);
  const { token } = start[0]!;
  const msg = { definition: "0_t", case: "ok", result: "pass" };
  await lab.ship(id, token, 0, [{ dt: "2026-03-01T12:00:00.000001", lvl: "results", msg }]);
  await lab.finish(id, token, { result: "pass", lines: 1 });
  return id;
}

describe("a job", () => {
  test("is given another priority; all else that is sent back is left as it is", async () => {
    const id = await lab.submit();
    const [, job] = await json(`jobs/${id}/`);
    const sent = { ...job, state: "Finished", description: "other", submitter: "lee" };
    const [status, after] = await json(`jobs/${id}/`, {
      method: "PATCH",
      body: { ...sent, priority: 77 },
    });
    expect([status, after]).toEqual([200, { ...job, priority: 77 }]);
    expect(await json(`jobs/${id}/`, { method: "PUT", body: { ...sent, priority: 77 } })).toEqual([
      200,
      after,
    ]);
    expect((await lab.job(id)).priority).toBe(77);
  });

  test("that has ended takes what it has, and no other priority", async () => {
    const id = await ended();
    const [, job] = await json(`jobs/${id}/`);
    expect(await json(`jobs/${id}/`, { method: "PUT", body: job })).toEqual([200, job]);
    expect((await json(`jobs/${id}/`, { method: "PATCH", body: {} }))[0]).toBe(200);
    expect((await json(`jobs/${id}/`, { method: "PATCH", body: { priority: 1 } }))[0]).toBe(409);
  });

  test("keeps its definition", async () => {
    const id = await lab.submit();
    const put = (body: object) => json(`jobs/${id}/`, { method: "PUT", body });
    expect(await put({})).toEqual([400, { definition: REQUIRED }]);
    expect(await put({ definition: "" })).toEqual([
      400,
      { definition: ["This field may not be blank."] },
    ]);
    expect(await put({ definition: "x: 1" })).toEqual([
      400,
      { definition: ["A job keeps its definition: submit another job."] },
    ]);
    expect((await put({ definition: aJob() }))[0]).toBe(200);
  });

  test("is removed once it has ended, with all that it had, and that is in the audit log", async () => {
    const id = await lab.submit();
    expect((await json(`jobs/${id}/`, { method: "DELETE" }))[0]).toBe(409);
    await lab.api(`/jobs/${id}/cancel`, { method: "POST" });
    const other = await ended();
    expect((await ask(`jobs/${other}/`, { method: "DELETE" })).status).toBe(204);
    expect((await json(`jobs/${other}/`))[0]).toBe(404);
    expect((await json(`jobs/${other}/tests/`))[0]).toBe(404);
    expect((await json("jobs/?state=Finished"))[1].results).toMatchObject([{ id }]);
    const { items } = await lab.deps.table.query("main", `job#${other}`);
    expect(items).toEqual([]);
    const audit = await lab.api<object>("/audit");
    expect(JSON.stringify(audit)).toContain(`"removed":[null,"${other}"]`);
  });

  test("that somebody keeps stays, and so does one for whoever is no administrator", async () => {
    const id = await ended();
    const { token } = await lab.addUser("lee");
    expect((await json(`jobs/${id}/`, { method: "DELETE", token }))[0]).toBe(403);
    await keepJob(lab.deps, lab.admin, id, true);
    expect(await json(`jobs/${id}/`, { method: "DELETE" })).toEqual([
      409,
      { detail: `job ${id} is kept by admin` },
    ]);
    expect((await json(`jobs/${id}/`))[0]).toBe(200);
  });

  test("has each of its tests by number and by name", async () => {
    const id = await ended();
    const [, { results }] = await json(`jobs/${id}/tests/`);
    const [one] = results;
    expect(await json(`jobs/${id}/tests/${one!.id}/`)).toEqual([200, one]);
    expect(await json(`jobs/${id}/tests/ok/`)).toEqual([200, one]);
    expect(await json(`jobs/${id}/tests/7/`)).toEqual([404, { detail: "Not found." }]);
  });
});

describe.each([
  ["device", "qemu-01"],
  ["devicetype", "qemu"],
])("a permission on a %s", (word, thing) => {
  const base = `permissions/${word}s/`;
  const grant = (permission: string, group = "team") => ({ group, permission, [word]: thing });

  test("is changed as a whole or in part, and is there once", async () => {
    for (const name of ["team", "crew"]) {
      await lab.api(`/groups/${name}`, { method: "PUT", body: { members: [] } });
    }
    const [, made] = await json(base, { body: grant(`view_${word}`) });
    const at = (id: number) => `${base}${id}/`;
    expect(await json(at(made.id), { method: "PUT", body: {} })).toEqual([
      400,
      { group: REQUIRED, permission: REQUIRED, [word]: REQUIRED },
    ]);
    const [status, put] = await json(at(made.id), { method: "PUT", body: grant(`change_${word}`) });
    expect([status, put]).toEqual([200, { id: expect.any(Number), ...grant(`change_${word}`) }]);
    const [, patched] = await json(at(put.id), { method: "PATCH", body: { group: "crew" } });
    expect(patched).toMatchObject(grant(`change_${word}`, "crew"));
    expect(await json(at(patched.id), { method: "PATCH", body: {} })).toEqual([200, patched]);
    expect((await json(base))[1].results).toEqual([patched]);
    expect((await json(at(patched.id)))[1]).toEqual(patched);
    const twice = {
      non_field_errors: [`The fields group, permission, ${word} must make a unique set.`],
    };
    expect(await json(base, { body: grant(`change_${word}`, "crew") })).toEqual([400, twice]);
    const [, other] = await json(base, { body: grant(`view_${word}`) });
    const same = grant(`change_${word}`, "crew");
    expect(await json(at(other.id), { method: "PATCH", body: same })).toEqual([400, twice]);
    expect((await ask(at(patched.id), { method: "DELETE" })).status).toBe(204);
    expect((await json(base))[1].results).toEqual([other]);
  });

  test("stays as it was when what it is to be is not there", async () => {
    await lab.api("/groups/team", { method: "PUT", body: { members: [] } });
    const [, made] = await json(base, { body: grant(`view_${word}`) });
    const patch = (body: object) => json(`${base}${made.id}/`, { method: "PATCH", body });
    expect(await patch({ [word]: "nosuch" })).toEqual([
      400,
      { [word]: ['Invalid pk "nosuch" - object does not exist.'] },
    ]);
    expect(await patch({ group: "nosuch" })).toEqual([
      400,
      { group: ["Object with name=nosuch does not exist."] },
    ]);
    expect((await json(base))[1].results).toEqual([made]);
  });
});

describe("people", () => {
  test("are made, once each", async () => {
    const ann = { username: "ann", full_name: "Ann A", email: "ann@example.org" };
    const [status, user] = await json("users/", { body: ann });
    expect([status, user]).toEqual([
      201,
      expect.objectContaining({ ...ann, is_active: true, is_superuser: false, groups: [] }),
    ]);
    expect(await json("users/", { body: { username: "ann" } })).toEqual([
      400,
      { username: ["A user with that username already exists."] },
    ]);
    expect(await json("users/", { body: {} })).toEqual([400, { username: REQUIRED }]);
    expect((await json("users/", { body: { username: "a b/c" } }))[0]).toBe(400);
    const crew = { name: "crew", description: "", members: ["ann"] };
    expect(await json("groups/", { body: { name: "crew", members: ["ann"] } })).toEqual([
      201,
      crew,
    ]);
    expect(await json("groups/", { body: { name: "crew" } })).toEqual([
      400,
      { name: ["group with this name already exists."] },
    ]);
    expect((await json("users/ann/"))[1]).toMatchObject({ groups: ["crew"] });
  });

  test.each(["users/admin/", "groups/crew/"])("at %s are changed elsewhere", async (where) => {
    for (const method of ["PATCH", "DELETE"]) {
      expect(await json(where, { method })).toEqual([
        405,
        { detail: `Method "${method}" not allowed.` },
      ]);
    }
  });
});
