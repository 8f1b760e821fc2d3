import { afterEach, beforeEach, expect, test } from "vitest";
import { readBoard, type BoardFilter } from "../../control-plane/domain/device-board.ts";
import { deviceItem, type DeviceRecord } from "../../control-plane/domain/device-record.ts";
import { deviceKey } from "../../control-plane/domain/keys.ts";
import type { Principal } from "../../control-plane/domain/principal.ts";
import { runningJob } from "../support/browser-session.ts";
import { aJob } from "../support/builders.ts";
import { countingTable } from "../support/counting-table.ts";
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

/** Devices of these types, so many of each, written at once. */
async function addMany(types: readonly string[], count: number): Promise<string[]> {
  const added: string[] = [];
  for (const type of types) {
    const { hostname: first } = await lab.addDevice(`${type}-00`, { device_type: type });
    const { data } = (await lab.deps.table.get<DeviceRecord>(deviceKey(first)))!;
    const names = Array.from(
      { length: count - 1 },
      (_, n) => `${type}-${String(n + 1).padStart(2, "0")}`,
    );
    await lab.deps.table.transact(
      names.map((hostname) => ({ put: deviceItem({ ...data, hostname }) })),
    );
    added.push(first, ...names);
  }
  return added;
}

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
  const all = await addMany(["one", "two", "three"], 45);
  const first = await readBoard(lab.deps, lab.admin, {});
  expect(first.devices).toHaveLength(100);
  const found = await names();
  expect(found.toSorted()).toEqual(all.toSorted());
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

test("a page of a large board reads little more than it shows", async () => {
  await addMany(["one", "two", "three", "four"], 90);
  const { table, read } = countingTable(lab.deps.table);
  const deps = { ...lab.deps, table };
  const { devices, next_cursor } = await readBoard(deps, lab.admin, {});
  expect([devices.length, devices[0]?.device_type]).toEqual([100, "four"]);
  expect(read.items).toBeLessThanOrEqual(210);
  expect(read.calls).toBeLessThanOrEqual(8);
  await readBoard(deps, lab.admin, {}, next_cursor);
  expect(read.items).toBeLessThanOrEqual(420);
});
