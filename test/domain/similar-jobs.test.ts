import { afterEach, beforeEach, expect, test } from "vitest";
import { similarJobs } from "../../control-plane/domain/similar-jobs.ts";
import { aJob } from "../support/builders.ts";
import { embeddedLab, type EmbeddedLab } from "../support/embedded-lab.ts";

let lab: EmbeddedLab;
beforeEach(async () => {
  lab = await embeddedLab();
  await lab.addWorker();
  await lab.addDevice("qemu-01");
});
afterEach(() => lab.close());

const submit = (name: string, lines?: string[]) =>
  lab.submit(aJob({ name, ...(lines ? { lines } : {}) }));
const idsFor = async (id: number, who = lab.admin as Parameters<typeof similarJobs>[1]) =>
  (await similarJobs(lab.deps, who, id)).map((job) => job.id);

test("jobs are similar when their descriptions differ in numbers and hashes only", async () => {
  const first = await submit("boot v6.1-rc3 of 8f2a91c on main");
  await submit("boot v6.1-rc3 of 8f2a91c on next");
  const second = await submit("Boot v6.2-rc10 of 91bd00e5 on main");
  const third = await submit("boot v7.0-rc1 of 0000000 on main");
  expect(await idsFor(second)).toEqual([third, second, first]);
});

test("those of another submitter or device type are not among them", async () => {
  const id = await submit("nightly 1");
  const { token } = await lab.addUser("bob");
  await lab.api("/jobs", { token, body: aJob({ name: "nightly 2" }) });
  await lab.addDevice("other-01", { device_type: "other" });
  await lab.submit(aJob({ name: "nightly 3", deviceType: "other" }));
  expect(await idsFor(id)).toEqual([id]);
});

test("nobody is told of a job that they may not see", async () => {
  const { principal: bob } = await lab.addUser("bob");
  const id = await submit("nightly 1");
  const hidden = aJob({ name: "nightly 2" }).replace("visibility: public", "visibility: personal");
  const personal = await lab.submit(hidden);
  expect(await idsFor(id)).toEqual([personal, id]);
  expect(await idsFor(id, bob)).toEqual([id]);
  await expect(idsFor(personal, bob)).rejects.toMatchObject({ code: "not_found" });
});

test("the nearest ones are told, twelve after and twenty-four before", async () => {
  const ids = [];
  for (let n = 0; n < 45; n++) ids.push(await submit(`nightly ${n}`));
  const found = await idsFor(ids[27]!);
  expect(found).toEqual(ids.slice(3, 40).toReversed());
});
