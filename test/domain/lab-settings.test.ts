import { afterEach, expect, test } from "vitest";
import type { LabPlan } from "#protocol/lab.ts";
import type { SettingsView } from "#protocol/lab-settings.ts";
import { labSettings } from "../../control-plane/domain/lab-settings.ts";
import { tick } from "../../control-plane/domain/tick.ts";
import { aJob } from "../support/builders.ts";
import { embeddedLab, type EmbeddedLab } from "../support/embedded-lab.ts";

let lab: EmbeddedLab | undefined;
afterEach(() => lab?.close());

const put = (body: object) => lab!.request("/settings", { method: "PUT", body });

test("settings that nobody has set have their defaults", async () => {
  lab = await embeddedLab();
  const view = await lab.api<SettingsView>("/settings");
  expect(view.version).toBe(0);
  expect(view.settings).toEqual(await labSettings(lab.deps));
  expect(view.settings.scheduling).toEqual({
    fair_share: "off",
    fair_share_half_life_hours: 24,
    health_frequency_hours: 24,
  });
});

test("a section that is set leaves the others as they are; null sets its defaults again", async () => {
  lab = await embeddedLab();
  await put({ settings: { scheduling: { fair_share: "user" } } });
  await put({ settings: { quotas: { users: { alice: { running: 2 } } } } });
  let { quotas, scheduling } = await labSettings(lab.deps);
  expect([scheduling.fair_share, quotas.users["alice"]]).toEqual(["user", { running: 2 }]);
  await put({ settings: { quotas: null } });
  ({ quotas, scheduling } = await labSettings(lab.deps));
  expect([scheduling.fair_share, quotas.users]).toEqual(["user", {}]);
});

test("settings of another version than the one that was read are a conflict", async () => {
  lab = await embeddedLab();
  const first = { settings: { scheduling: { fair_share: "user" } }, version: 0 };
  expect((await put(first)).status).toBe(200);
  const late = await put({ settings: { scheduling: { fair_share: "group" } }, version: 0 });
  expect(late.status).toBe(409);
  expect(await late.json()).toMatchObject({ message: expect.stringMatching(/read them again/) });
});

test("a setting that there is not is refused, with what was expected", async () => {
  lab = await embeddedLab();
  const odd = await put({ settings: { scheduling: { fair_share: "users" } } });
  expect(odd.status).toBe(400);
  expect(await odd.json()).toMatchObject({
    message: "settings.scheduling.fair_share: expected off, user, group; did you mean user?",
  });
  expect((await put({ settings: { schedule: {} } })).status).toBe(400);
});

test("who changed settings, from what and to what, is written down once", async () => {
  lab = await embeddedLab();
  const body = { settings: { scheduling: { fair_share: "user" } } };
  await put(body);
  await put(body);
  const { items } = await lab.deps.table.query("main", "changes#lab#settings");
  expect(items.map(({ data }) => data)).toMatchObject([
    {
      who: "admin",
      kind: "lab",
      changed: { scheduling: [null, expect.stringMatching(/"fair_share":"user"/)] },
    },
  ]);
});

test("settings are part of a lab as code, and pruning one sets its defaults again", async () => {
  lab = await embeddedLab();
  const wanted = { settings: { scheduling: { fair_share: "group" } } };
  await lab.api("/lab/apply", { body: { lab: wanted, comment: "fairer" } });
  expect((await labSettings(lab.deps)).scheduling.fair_share).toBe("group");
  const told = await lab.api<{ settings: object }>("/lab");
  expect(told.settings).toMatchObject({ scheduling: { fair_share: "group" } });
  const again = await lab.api<LabPlan>("/lab/plan", { body: { lab: told } });
  expect(again.changes).toEqual([]);
  const body = { lab: { settings: {} }, prune: true };
  const plan = await lab.api<LabPlan>("/lab/plan", { body });
  expect(plan.changes).toEqual([{ action: "remove", section: "settings", name: "scheduling" }]);
  await lab.api("/lab/apply", { body });
  expect((await labSettings(lab.deps)).scheduling.fair_share).toBe("off");
});

test("a job that names no queue time-out has the lab's", async () => {
  lab = await embeddedLab();
  await lab.addWorker();
  await lab.addDevice("qemu-01");
  await put({ settings: { scheduling: { default_queue_timeout_hours: 2 } } });
  const usual = await lab.submit();
  const own = await lab.submit(
    aJob().replace("job: {minutes: 10}", "job: {minutes: 10}\n  queue: {days: 1}"),
  );
  lab.pass(2 * 3600 + 1);
  await tick(lab.deps);
  expect([(await lab.job(usual)).health, (await lab.job(own)).state]).toEqual([
    "Canceled",
    "Submitted",
  ]);
  expect((await lab.deps.table.query("main", "queue-deadlines")).items).toHaveLength(1);
});
