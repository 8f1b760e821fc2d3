import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { SubmitResponse } from "#protocol/api.ts";
import { usedAt, type UseRecord } from "../../control-plane/domain/fair-share.ts";
import { findJobItem, jobItem } from "../../control-plane/domain/job-record.ts";
import { jobKeys } from "../../control-plane/domain/keys.ts";
import { passFacts } from "../../control-plane/domain/pass-facts.ts";
import { waitingJobs } from "../../control-plane/domain/queue-order.ts";
import { aJob } from "../support/builders.ts";
import { embeddedLab, type EmbeddedLab } from "../support/embedded-lab.ts";
import { fc } from "../support/property.ts";

let lab: EmbeddedLab;
let bench: string;
const tokens: Record<string, string> = {};
beforeEach(async () => {
  lab = await embeddedLab();
  bench = await lab.addWorker();
  await lab.addDevice("qemu-01");
  for (const name of ["alice", "bob", "carol"]) tokens[name] = (await lab.addUser(name)).token;
});
afterEach(() => lab.close());

const fair = (fair_share: string) =>
  lab.api("/settings", { method: "PUT", body: { settings: { scheduling: { fair_share } } } });
async function submit(who: string, count = 1, priority = 50): Promise<number[]> {
  const ids: number[] = [];
  for (let n = 0; n < count; n++) {
    const body = aJob({ lines: [`priority: ${priority}`] });
    const answer = await lab.api<SubmitResponse>("/jobs", { token: tokens[who]!, body });
    ids.push(...answer.job_ids);
    lab.pass(1);
  }
  await lab.settled();
  return ids;
}
/** Runs what the device has to its end, and says whose it was. */
async function runNext(seconds = 60): Promise<string | undefined> {
  const { start } = await lab.sync(bench);
  const [ticket] = start;
  if (!ticket) return undefined;
  const { job_id, token } = ticket;
  const { submitter } = await lab.job(job_id);
  await lab.sync(bench, [{ job_id, state: "running" }]);
  lab.pass(seconds);
  await lab.finish(job_id, token, { result: "pass", lines: 0 });
  return submitter;
}
async function runAll(most: number) {
  const order: string[] = [];
  await lab.sync(bench);
  for (let n = 0; n < most; n++) {
    const who = await runNext();
    if (who === undefined) break;
    order.push(who);
  }
  expect(order).toHaveLength(most);
  return order;
}
const count = (order: string[], who: string) => order.filter((one) => one === who).length;
async function order(): Promise<number[]> {
  const ids: number[] = [];
  for await (const { id } of waitingJobs(lab.deps, "qemu", passFacts(lab.deps))) ids.push(id);
  return ids;
}

describe("with fair share", () => {
  test("a higher priority still goes first, whoever's it is", async () => {
    await fair("user");
    await submit("alice", 3);
    await runAll(1);
    const [urgent] = await submit("alice", 1, 90);
    await submit("bob", 1);
    expect((await order())[0]).toBe(urgent);
  });

  test("what one submitter waits for goes as it came", async () => {
    await fair("user");
    const ids = await submit("alice", 5);
    expect(await order()).toEqual(ids);
  });

  test("a group counts as one, whoever of it submits", async () => {
    await lab.api("/groups/kernel", { method: "PUT", body: { members: ["alice", "bob"] } });
    await fair("group");
    await submit("alice", 6);
    await submit("bob", 6);
    await submit("carol", 6);
    const served = await runAll(10);
    expect(count(served, "carol")).toBeGreaterThanOrEqual(4);
  });

  test("off, jobs go as they came", async () => {
    const ids = [...(await submit("alice", 3)), ...(await submit("bob", 2))];
    expect(await order()).toEqual(ids);
  });

  test("jobs that an older version has queued, which knew no fair share, have their turn", async () => {
    const ids = await submit("alice", 2);
    for (const id of ids) {
      const { data, version } = (await findJobItem(lab.deps, id))!;
      const { i1, i2, i4 } = jobKeys(data);
      const old = { ...jobItem(data), keys: { i1: i1!, i2: i2!, i4: i4! } };
      await lab.deps.table.transact([{ put: old, when: { version } }]);
    }
    await fair("user");
    // It was looked for before, and the older version was there once more since then.
    lab.pass(600);
    expect(await order()).toEqual(ids);
    const [later] = await submit("alice", 1);
    expect(await order()).toEqual([...ids, later]);
  });

  test("of very many submitters each is among the first in some pass, and each job has its turn in each", async () => {
    await fair("user");
    const names = Array.from({ length: 1100 }, (_, n) => `u${String(n).padStart(4, "0")}`);
    const [id = 0] = await submit("alice", 1);
    const { data } = (await findJobItem(lab.deps, id))!;
    const jobs = names.map((submitter, n) => ({ ...data, id: 1000 + n, submitter }));
    for (let n = 0; n < jobs.length; n += 100) {
      const some = jobs.slice(n, n + 100);
      await lab.deps.table.transact(some.map((job) => ({ put: jobItem(job) })));
    }
    const first = new Set<string>();
    for (let passes = 0; passes < 4; passes++) {
      const seen: string[] = [];
      const facts = passFacts(lab.deps, { notesHeld: true });
      for await (const job of waitingJobs(lab.deps, "qemu", facts)) seen.push(job.submitter);
      expect(seen.toSorted()).toEqual(["alice", ...names]);
      for (const name of seen.slice(0, 500)) first.add(name);
    }
    expect(first.size).toBe(1101);
  }, 60_000);

  test("a pass that serves one job reads a few, however many wait", async () => {
    await fair("user");
    await submit("alice", 30);
    await submit("bob", 1);
    // Once it looks at all of them, for those of an older version.
    await order();
    const { table } = lab.deps;
    let read = 0;
    const deps = {
      ...lab.deps,
      table: {
        ...table,
        get: table.get.bind(table),
        query: async <T>(...args: Parameters<typeof table.query>) => {
          const page = await table.query<T>(...args);
          read += page.items.length;
          return page;
        },
      },
    } as typeof lab.deps;
    for await (const _job of waitingJobs(deps, "qemu", passFacts(deps))) break;
    expect(read).toBeLessThan(10);
  });
});

test("the order has each job once, by priority, and each submitter's as they came, whatever they submit", async () => {
  await lab.api("/devices/qemu-01/health", { body: { health: "Maintenance" } });
  await fair("user");
  const all: { id: number; who: string; priority: number }[] = [];
  const someone = fc.record({
    who: fc.constantFrom("alice", "bob", "carol"),
    priority: fc.constantFrom(10, 50, 90),
    count: fc.integer({ min: 1, max: 4 }),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(someone, { maxLength: 4 }), async (submissions) => {
      for (const { who, priority, count: many } of submissions) {
        const ids = await submit(who, many, priority);
        all.push(...ids.map((id) => ({ id, who, priority })));
      }
      const seen = (await order()).map((id) => all.find((job) => job.id === id)!);
      expect(seen.map(({ id }) => id).toSorted((a, b) => a - b)).toEqual(all.map(({ id }) => id));
      for (const [index, job] of seen.entries()) {
        const before = seen.slice(0, index);
        expect(before.every(({ priority }) => priority >= job.priority)).toBe(true);
        const own = before.filter(
          ({ who, priority }) => who === job.who && priority === job.priority,
        );
        expect(own.every(({ id }) => id < job.id)).toBe(true);
      }
    }),
    { numRuns: 10 },
  );
});

test("what was used counts half after the half-life", () => {
  const use: UseRecord = { account: "user/alice", seconds: 800, at: 0, half_life_hours: 24 };
  expect(usedAt(use, 0)).toBe(800);
  expect(usedAt(use, 24 * 3_600_000)).toBe(400);
  expect(usedAt(use, 72 * 3_600_000)).toBe(100);
});
