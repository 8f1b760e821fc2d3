import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Deps } from "../../../control-plane/domain/deps.ts";
import { deliverNotices } from "../../../control-plane/domain/notices/deliver.ts";
import {
  restoredDelivery,
  type DeliveryRecord,
} from "../../../control-plane/domain/notices/delivery-record.ts";
import { aJob } from "../../support/builders.ts";
import { embeddedLab, type EmbeddedLab } from "../../support/embedded-lab.ts";
import { hookReceiver, type HookReceiver } from "../../support/hook-receiver.ts";

let lab: EmbeddedLab;
let receiver: HookReceiver;
let worker: string;
beforeEach(async () => {
  receiver = await hookReceiver();
  lab = await embeddedLab({}, "embedded");
  worker = await lab.addWorker();
  await lab.addDevice("qemu-01");
  await lab.sync(worker);
  await lab.request("/settings", {
    method: "PUT",
    body: { settings: { notices: { private_hosts: ["127.0.0.1"] } } },
  });
  await lab.api("/webhooks", { body: { url: `${receiver.url}/hook`, events: ["job.finished"] } });
  // Nobody sends but the tests.
  const { signals } = lab.deps;
  const requestPass = signals.requestPass.bind(signals);
  signals.requestPass = async (what) => (what.startsWith("#") ? undefined : requestPass(what));
});
afterEach(async () => {
  await lab.close();
  await receiver.close();
});

/** A process that dies at its write number `at`: before it, or just after. */
function dying(at: number, when: "before" | "after"): Deps {
  let writes = 0;
  const die = () => {
    throw new Error("killed");
  };
  return {
    ...lab.deps,
    table: {
      ...lab.deps.table,
      async transact(operations) {
        const isLast = ++writes >= at;
        if (isLast && (when === "before" || writes > at)) die();
        await lab.deps.table.transact(operations);
        if (isLast) die();
      },
    },
  };
}

const WRITES = [1, 2, 3, 4, 5, 6, 7];
describe("whoever sends dies", () => {
  test.each(WRITES.flatMap((n) => [[n, "before"] as const, [n, "after"] as const]))(
    "at write %i, %s it: each message is sent all the same, and has one id however often",
    async (at, when) => {
      const notify = { criteria: { status: "canceled" }, callback: { url: `${receiver.url}/cb` } };
      const id = await lab.submit(aJob({ lines: [`notify: ${JSON.stringify(notify)}`] }));
      await lab.api(`/jobs/${id}/cancel`, { method: "POST" });
      await lab.sync(worker);
      await deliverNotices(dying(at, when)).catch(() => {});
      for (let round = 0; round < 3; round++) {
        lab.pass(61);
        await deliverNotices(lab.deps);
      }
      for (const path of ["/cb", "/hook"]) {
        const of = receiver.received.filter((one) => one.path === path);
        expect(of.length).toBeGreaterThan(0);
        expect(of.length).toBeLessThan(3);
        expect(new Set(of.map(({ headers }) => headers["x-pumice-delivery"])).size).toBe(1);
      }
    },
  );
});

test("in a lab that was restored what was pending has lapsed; what was sent stays as it was", () => {
  const delivery: DeliveryRecord = {
    ...{ id: "a", kind: "callback", state: "pending", created: "2026-03-01T12:00:00.000Z" },
    ...{ to: "x", failures: 0, tries: [], due: "2026-03-01T12:00:00.000Z" },
  };
  const pending = restoredDelivery(delivery);
  expect(pending.keys?.i3).toBeUndefined();
  expect(pending.data).toMatchObject({
    state: "lapsed",
    tries: [{ error: "the lab was restored from a backup meanwhile" }],
  });
  const { due: _, ...sent } = delivery;
  expect(restoredDelivery({ ...sent, state: "sent" }).data).toMatchObject({
    state: "sent",
    tries: [],
  });
});
