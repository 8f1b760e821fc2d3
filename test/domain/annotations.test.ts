import { afterEach, beforeEach, expect, test } from "vitest";
import type { AnnotationView } from "#protocol/api.ts";
import { kindOf } from "../../control-plane/domain/item-kinds.ts";
import { annotationKey } from "../../control-plane/domain/keys.ts";
import { embeddedLab, type EmbeddedLab } from "../support/embedded-lab.ts";

let lab: EmbeddedLab;
let id: number;
beforeEach(async () => {
  lab = await embeddedLab();
  await lab.addWorker();
  await lab.addDevice("qemu-01");
  id = await lab.submit();
});
afterEach(() => lab.close());

const send = (body: unknown, token?: string) =>
  lab.request(`/jobs/${id}/annotations`, { body, ...(token === undefined ? {} : { token }) });
const annotate = (text: string, cause?: string) =>
  lab.api<AnnotationView>(`/jobs/${id}/annotations`, { body: { text, cause } });
const remove = (name: string, token = lab.adminToken) =>
  lab.request(`/jobs/${id}/annotations/${name}`, { method: "DELETE", token });

test("what people wrote down stands in the job, oldest first, with who, when and the cause", async () => {
  await annotate("the cable\r\nwas loose ", "lab");
  lab.pass(60);
  await annotate("again");
  const { annotations, annotation_count } = await lab.job(id);
  expect(annotation_count).toBe(2);
  expect(annotations).toMatchObject([
    {
      who: "admin",
      time: "2026-03-01T12:00:00.000Z",
      text: "the cable\nwas loose",
      cause: "lab",
    },
    { who: "admin", text: "again" },
  ]);
  expect(annotations?.[1]).not.toHaveProperty("cause");
});

test("the audit log has it, also when it is taken back", async () => {
  const { id: name } = await annotate("wrong job", "test");
  expect((await remove(name)).status).toBe(204);
  const job = await lab.job(id);
  expect([job.annotations, job.annotation_count]).toEqual([undefined, undefined]);
  const { entries } = await lab.api<{ entries: { changed: object }[] }>(
    `/audit?kind=job&name=${id}`,
  );
  const changes = entries.map(({ changed }) => changed).filter((one) => "annotation" in one);
  expect(changes).toEqual([
    { annotation: ["test: wrong job", null] },
    { annotation: [null, "test: wrong job"] },
  ]);
});

test("who may not change the job may not annotate it, and only the author or an administrator takes one back", async () => {
  const bob = await lab.addUser("bob");
  expect((await send({ text: "mine" }, bob.token)).status).toBe(403);
  const { id: name } = await annotate("kept");
  expect((await remove(name, bob.token)).status).toBe(403);
  expect((await remove("none")).status).toBe(404);
  expect((await lab.job(id)).annotation_count).toBe(1);
});

test("nothing, too much, an unknown cause and the fifty-first are refused", async () => {
  const statuses = [];
  for (const body of [
    { text: " \n" },
    { text: "é".repeat(1025) },
    { text: "x", cause: "moon" },
    { text: "x", html: true },
  ]) {
    statuses.push((await send(body)).status);
  }
  expect(statuses).toEqual([400, 400, 400, 400]);
  for (let n = 0; n < 50; n++) await annotate(`number ${n}`);
  expect((await send({ text: "one more" })).status).toBe(409);
});

test("two at the same time are both there, and it travels with a backup", async () => {
  await Promise.all([annotate("one"), annotate("two")]);
  const { annotations = [], annotation_count } = await lab.job(id);
  expect([annotation_count, annotations.map(({ text }) => text).toSorted()]).toEqual([
    2,
    ["one", "two"],
  ]);
  const [annotation] = annotations;
  const key = annotationKey(id, annotation!.time, annotation!.id);
  const kind = kindOf(key)!;
  expect([kind.name, kind.travels]).toEqual(["annotation", true]);
  expect(kind.remake(annotation as never, key)).toEqual({ key, data: annotation });
});
