import { expect, test } from "vitest";
import { writeDevice } from "../../control-plane/domain/devices.ts";
import { finishJob } from "../../control-plane/domain/finish-job.ts";
import { findJobItem, jobItem, type JobRecord } from "../../control-plane/domain/job-record.ts";
import { definitionBlob } from "../../control-plane/domain/blob-names.ts";
import { writeSettings } from "../../control-plane/domain/lab-settings.ts";
import type { User } from "../../control-plane/domain/principal.ts";
import { submitJob } from "../../control-plane/domain/submit-job.ts";
import { sync } from "../../control-plane/domain/sync.ts";
import { authenticate } from "../../control-plane/domain/tokens.ts";
import { without } from "../../control-plane/domain/without.ts";
import { addWorker } from "../../control-plane/domain/workers.ts";
import { aJob } from "../support/builders.ts";
import { memoryWorld, type MemoryWorld } from "../support/memory-world.ts";
import { fc } from "../support/property.ts";

/** More for a longer look: PUMICE_RUNS=500. */
const RUNS = Number(process.env["PUMICE_RUNS"] ?? 5);

const person = (name: string): User => ({
  kind: "user",
  name,
  admin: false,
  groups: [],
  tokenId: "",
});

interface Served {
  who: string;
  seconds: number;
}

/** A lab with fair share between users and some devices of one type. */
async function fairLab(devices: number) {
  const world = await memoryWorld(() => false);
  const { deps, admin } = world;
  const { token } = await addWorker(deps, admin, { name: "w", description: "", job_limit: 0 });
  const worker = await authenticate(deps, token);
  if (worker?.kind !== "worker") throw new Error("no worker");
  for (let n = 0; n < devices; n++) {
    await writeDevice(deps, admin, `d${n}`, {
      device_type: "t",
      worker: "w",
      tags: [],
      description: "",
      comment: "",
      dictionary: "{% extends 'qemu.jinja2' %}\n",
    });
  }
  const settings = { scheduling: { fair_share: "user" }, access: { rule: "open" } };
  await writeSettings(deps, settings as never, { who: "admin" });
  await world.settled();
  return { world, worker };
}

/** One is submitted, the others are like it: a thousand submissions would take longer than the rest. */
async function submit({ deps }: MemoryWorld, who: string, count: number): Promise<void> {
  const { job_ids } = await submitJob(deps, person(who), aJob({ deviceType: "t" }));
  const { data } = (await findJobItem(deps, job_ids[0]!))!;
  const waiting: JobRecord = {
    ...without(data, "device", "worker", "token_nonce", "token_hash", "charged"),
    state: "Submitted",
  };
  const text = (await deps.blobs.get(definitionBlob(data.id)))!;
  for (let left = count - 1; left > 0; left -= 50) {
    const ids = [];
    for (let n = 0; n < Math.min(50, left); n++) ids.push(await deps.table.counter("job"));
    for (const id of ids) await deps.blobs.put(definitionBlob(id), text);
    await deps.table.transact(ids.map((id) => ({ put: jobItem({ ...waiting, id }) })));
  }
}

/** Runs jobs until so many have ended, each as long as `secondsOf` says; in the order of their ends. */
async function serve(
  { world, worker }: Awaited<ReturnType<typeof fairLab>>,
  most: number,
  secondsOf: (who: string) => number,
): Promise<Served[]> {
  const { deps } = world;
  const running = new Map<number, Served & { token: string; endsAt: number }>();
  const served: Served[] = [];
  const look = async () => {
    const runners = [...running.keys()].map((job_id) => ({ job_id, state: "running" as const }));
    const request = { protocol: 1, version: "test", runners, wait_seconds: 0 };
    const { start } = await sync(deps, worker, request);
    await world.settled();
    for (const { job_id, token } of start) {
      const who = (await findJobItem(deps, job_id))!.data.submitter;
      const seconds = secondsOf(who);
      running.set(job_id, { who, seconds, token, endsAt: deps.system.now() + seconds * 1000 });
    }
    return start.length > 0;
  };
  while (served.length < most) {
    while (await look());
    const [next] = [...running].toSorted(([, a], [, b]) => a.endsAt - b.endsAt);
    if (!next) {
      await world.settled();
      if (!(await look())) return served;
      continue;
    }
    const [id, { who, seconds, token, endsAt }] = next;
    world.pass(Math.max(0, endsAt - deps.system.now()) / 1000);
    const job = await authenticate(deps, token);
    await finishJob(deps, job!, id, { result: "pass", lines: 0 });
    running.delete(id);
    await world.settled();
    served.push({ who, seconds });
  }
  return served;
}

const used = (served: readonly Served[], name: string): number =>
  served.filter(({ who }) => who === name).reduce((sum, { seconds }) => sum + seconds, 0);

test("of a user with a thousand jobs and one with ten, none starves", async () => {
  const lab = await fairLab(1);
  await submit(lab.world, "alice", 1000);
  await submit(lab.world, "bob", 10);
  const served = await serve(lab, 30, () => 60);
  const bobs = served.flatMap(({ who }, index) => (who === "bob" ? [index] : []));
  expect(bobs).toHaveLength(10);
  expect(bobs.at(-1)).toBeLessThan(24);
  lab.world.close();
});

test("shares converge, whatever users' jobs take and however many devices there are", async () => {
  const property = fc.asyncProperty(
    fc.integer({ min: 1, max: 3 }),
    fc.array(fc.constantFrom(30, 60, 300, 600), { minLength: 2, maxLength: 3 }),
    async (devices, lengths) => {
      const lab = await fairLab(devices);
      const names = lengths.map((_, n) => `user${n}`);
      const secondsOf = (who: string): number => lengths[names.indexOf(who)]!;
      for (const name of names) await submit(lab.world, name, 35);
      const served = await serve(lab, 30, secondsOf);
      expect(served).toHaveLength(30);
      const uses = names.map((name) => used(served, name));
      // A job is not cut in pieces, and how long it takes is known at its end only.
      const slack = 3 * Math.max(...lengths) * (devices + 1);
      expect(Math.max(...uses) - Math.min(...uses)).toBeLessThanOrEqual(slack);
      lab.world.close();
    },
  );
  await fc.assert(property, { numRuns: RUNS });
}, 3_600_000);
