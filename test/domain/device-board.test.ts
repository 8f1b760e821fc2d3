import { afterEach, beforeEach, expect, test } from "vitest";
import { readBoard, type BoardFilter } from "../../control-plane/domain/device-board.ts";
import type { Principal } from "../../control-plane/domain/principal.ts";
import { runningJob } from "../support/browser-session.ts";
import { aJob } from "../support/builders.ts";
import { embeddedLab, type EmbeddedLab } from "../support/embedded-lab.ts";

let lab: EmbeddedLab;
let worker: string;
beforeEach(async () => {
  lab = await embeddedLab();
  worker = await lab.addWorker();
});
afterEach(() => lab.close());

const names = async (filter: BoardFilter = {}, as: Principal = lab.admin) => {
  const found: string[] = [];
  let cursor: string | undefined;
  do {
    const board = await readBoard(lab.deps, as, filter, cursor);
    found.push(...board.devices.map(({ hostname }) => hostname));
    cursor = board.next_cursor;
  } while (cursor !== undefined);
  return found;
};

test("devices stand by type, then by name, and are found by what is asked", async () => {
  await lab.addWorker("other");
  await lab.addDevice("b", { device_type: "one", tags: ["hot"] });
  await lab.addDevice("c", { device_type: "one", description: "On the LEFT", worker: "other" });
  await lab.addDevice("a", { device_type: "two", health: "Bad", worker: "other" });
  expect(await names()).toEqual(["b", "c", "a"]);
  expect(await names({ device_type: "two" })).toEqual(["a"]);
  expect(await names({ worker: "other" })).toEqual(["c", "a"]);
  expect(await names({ worker: "other", device_type: "one" })).toEqual(["c"]);
  expect(await names({ health: "Bad" })).toEqual(["a"]);
  expect(await names({ tag: "hot" })).toEqual(["b"]);
  expect(await names({ text: "left" })).toEqual(["c"]);
  expect(await names({ state: "Running" })).toEqual([]);
  await expect(readBoard(lab.deps, lab.admin, {}, "no cursor")).rejects.toThrow("cursor:");
});

test("pages follow each other through the types without a gap", async () => {
  const all = ["one", "two", "three"].flatMap((type) =>
    Array.from({ length: 45 }, (_, n) => ({ type, name: `${type}-${n}` })),
  );
  await Promise.all(all.map(({ type, name }) => lab.addDevice(name, { device_type: type })));
  const first = await readBoard(lab.deps, lab.admin, {});
  expect(first.devices).toHaveLength(100);
  const found = await names();
  expect(found.toSorted()).toEqual(all.map(({ name }) => name).toSorted());
  expect((await names({ worker: "bench" })).toSorted()).toEqual(found.toSorted());
});

test("who may not see a device does not find it; a private job is a place in the strip and no more", async () => {
  await lab.addDevice("qemu-01");
  const { principal: eve } = await lab.addStranger("eve");
  expect(await names({}, eve)).toEqual([]);
  const { principal: alice } = await lab.addUser("alice");
  const open = await runningJob(lab, worker);
  await lab.finish(open.id, open.token, { result: "pass", lines: 0 });
  const definition = aJob().replace("visibility: public", "visibility: personal");
  const id = await lab.submit(definition);
  const { start } = await lab.sync(worker);
  const token = start.find(({ job_id }) => job_id === id)!.token;
  await lab.finish(id, token, { result: "fail", error_type: "Test", error_msg: "no", lines: 0 });
  const stripOf = async (who: Principal) =>
    (await readBoard(lab.deps, who, {})).devices[0]!.recent.map((job) => [job.id, job.health]);
  expect(await stripOf(lab.admin)).toEqual([
    [id, "Incomplete"],
    [open.id, "Complete"],
  ]);
  expect(await stripOf(alice)).toEqual([
    [undefined, "Unknown"],
    [open.id, "Complete"],
  ]);
});
