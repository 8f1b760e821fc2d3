import { afterEach, beforeEach, expect, test } from "vitest";
import { atATime } from "../../control-plane/domain/at-a-time.ts";
import { waitingTypes } from "../../control-plane/domain/queue.ts";
import { listDeviceTypes } from "../../control-plane/domain/device-types.ts";
import { embeddedLab, type EmbeddedLab } from "../support/embedded-lab.ts";

test("results stand in the order of the items, and no more than asked run at a time", async () => {
  const ends: (() => void)[] = [];
  let most = 0;
  const all = atATime(3, [0, 1, 2, 3, 4, 5, 6], async (item) => {
    most = Math.max(most, ends.length + 1);
    await new Promise<void>((resolve) => ends.push(resolve));
    return item * 10;
  });
  while (ends.length > 0) {
    ends.pop()!();
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(await all).toEqual([0, 10, 20, 30, 40, 50, 60]);
  expect(most).toBe(3);
});

test("what one throws is thrown, and nothing is nothing", async () => {
  const failing = atATime(2, [1, 2, 3], async (item) => {
    if (item === 2) throw new Error("two");
    return item;
  });
  await expect(failing).rejects.toThrow("two");
  expect(await atATime(2, [], async () => 1)).toEqual([]);
});

let lab: EmbeddedLab;
beforeEach(async () => void (lab = await embeddedLab()));
afterEach(() => lab.close());

test("lists of device types and of queues ask for a bounded number of types at a time", async () => {
  for (let n = 0; n < 60; n++) {
    await lab.api(`/device-types/type-${n}`, { method: "PUT", body: {} });
  }
  let [running, most, reads] = [0, 0, 0];
  const table: typeof lab.deps.table = {
    ...lab.deps.table,
    async query(...asked) {
      most = Math.max(most, ++running);
      reads += 1;
      const answer = await lab.deps.table.query<never>(...asked);
      // As a table far away answers: not in the same turn.
      await new Promise((resolve) => setImmediate(resolve));
      running -= 1;
      return answer;
    },
  };
  const deps = { ...lab.deps, table };
  const admin = { kind: "user", name: "admin", admin: true, groups: [], tokenId: "t" } as const;
  const { device_types } = await listDeviceTypes(deps, admin);
  expect([device_types.length, reads, most]).toEqual([60, 121, 20]);
  most = 0;
  expect((await waitingTypes(deps, admin)).types).toEqual([]);
  expect(most).toBe(20);
});
