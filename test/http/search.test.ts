import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { deviceItem, type DeviceRecord } from "../../control-plane/domain/device-record.ts";
import { deviceKey, queryKey } from "../../control-plane/domain/keys.ts";
import { userItem } from "../../control-plane/domain/users.ts";
import { countingTable } from "../support/counting-table.ts";
import { searchLab } from "../../control-plane/domain/search-lab.ts";
import { browserSession } from "../support/browser-session.ts";
import { aJob } from "../support/builders.ts";
import { embeddedLab, type EmbeddedLab } from "../support/embedded-lab.ts";

let lab: EmbeddedLab;
beforeEach(async () => {
  lab = await embeddedLab();
  await lab.addWorker("rack-west");
  await lab.addDevice("panda-01", { worker: "rack-west", description: "under the desk" });
  await lab.addDevice("panda-02", { worker: "rack-west" });
  await lab.submit(aJob({ name: "boot the panda of tomorrow" }));
});
afterEach(() => lab.close());

describe("who searches the lab", () => {
  test("finds jobs by words of their descriptions, devices, types, workers and people", async () => {
    const found = await searchLab(lab.deps, lab.admin, "PANDA");
    expect(found.jobs.map(({ id }) => id)).toEqual([1]);
    expect(found.devices.map(({ hostname }) => hostname)).toEqual(["panda-01", "panda-02"]);
    expect((await searchLab(lab.deps, lab.admin, "desk under")).devices).toHaveLength(1);
    expect((await searchLab(lab.deps, lab.admin, "qem")).deviceTypes).toHaveLength(1);
    expect((await searchLab(lab.deps, lab.admin, "west")).workers).toHaveLength(1);
    expect((await searchLab(lab.deps, lab.admin, "adm")).users).toHaveLength(1);
    expect((await searchLab(lab.deps, lab.admin, "#1")).job?.id).toBe(1);
    expect((await searchLab(lab.deps, lab.admin, "  ")).jobs).toEqual([]);
  });

  test("finds nothing that they may not see, not even by its number or its full name", async () => {
    const { principal } = await lab.addStranger("eve");
    for (const text of ["panda", "panda-01", "1", "rack-west", "qemu", "admin", "tomorrow"]) {
      const found = await searchLab(lab.deps, principal, text);
      expect(found.job, text).toBeUndefined();
      const { job: _, ...lists } = found;
      expect(Object.values(lists).flat(), text).toEqual([]);
    }
  });

  test("sees no other people and only groups of their own without being an administrator", async () => {
    const { principal } = await lab.addUser("alice");
    await lab.api("/groups/alices", { method: "PUT", body: { members: ["alice"] } });
    await lab.api("/groups/alien", { method: "PUT", body: { members: [] } });
    const fresh = { ...principal, groups: ["alices"] } as typeof principal;
    const found = await searchLab(lab.deps, fresh, "ali");
    expect(found.users).toEqual([]);
    expect(found.groups.map(({ name }) => name)).toEqual(["alices"]);
  });
});

test("a search of a large lab reads a few pages of each list", async () => {
  const device = (await lab.deps.table.get<DeviceRecord>(deviceKey("panda-01")))!.data;
  const items = Array.from({ length: 2600 }, (_none, n) => [
    { put: deviceItem({ ...device, hostname: `d-${n}` }) },
    { put: userItem({ ...PERSON, name: `u-${n}` }) },
    { put: { key: queryKey(`u-${n}`, "private"), data: { ...QUERY, owner: `u-${n}` } } },
    { put: { key: queryKey(`u-${n}`, "other"), data: { ...QUERY, owner: `u-${n}` } } },
  ]).flat();
  for (let n = 0; n < items.length; n += 80) {
    await lab.deps.table.transact(items.slice(n, n + 80));
  }
  const { principal } = await lab.addUser("alice");
  for (const who of [lab.admin, principal]) {
    const { table, read } = countingTable(lab.deps.table);
    await searchLab({ ...lab.deps, table }, who, "nowhere");
    expect(read.calls).toBeLessThanOrEqual(60);
    expect(read.items).toBeLessThanOrEqual(9000);
  }
});

const PERSON = {
  ...{ full_name: "", email: "", admin: false, active: true, groups: [], created: "" },
  source: "local" as const,
};
const QUERY = { name: "private", description: "", entity: "testjob", conditions: [], limit: 10 };

describe("/search", () => {
  test("goes to what is named in full, and lists everything else", async () => {
    const browser = await browserSession(lab);
    const to = async (q: string) =>
      (await browser.get(`/search?${new URLSearchParams({ q })}`)).headers.get("location");
    expect(await to("#1")).toBe("/jobs/1");
    expect(await to("panda-02")).toBe("/devices/panda-02");
    expect(await to("rack-west")).toBe("/workers/rack-west");
    expect(await to("qemu")).toBeNull();
    const html = await (await browser.get("/search?q=panda")).text();
    expect(html).toContain('href="/devices/panda-01"');
    expect(html).toContain("boot the panda of tomorrow");
    expect(html).not.toContain("Nothing that you may see fits");
  });

  test("says what to do when nothing fits, and shows what was typed as text", async () => {
    const browser = await browserSession(lab);
    const q = '"><script>alert(1)</script>';
    const html = await (await browser.get(`/search?${new URLSearchParams({ q })}`)).text();
    expect(html).toContain("Nothing that you may see fits");
    expect(html).not.toContain("<script>alert");
    expect((await browser.get("/search")).status).toBe(200);
  });

  test("finds the documentation, too", async () => {
    const html = await (await (await browserSession(lab)).get("/search?q=retention+rules")).text();
    expect(html).toMatch(/href="\/docs\/[a-z-]+/);
  });
});
