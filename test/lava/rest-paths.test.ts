import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { aJob } from "../support/builders.ts";
import { embeddedLab, type EmbeddedLab } from "../support/embedded-lab.ts";
import { restClient } from "../support/rest-client.ts";

let lab: EmbeddedLab;
let id: number;
beforeAll(async () => {
  lab = await embeddedLab();
  await lab.addWorker();
  await lab.addDevice("qemu-01");
  id = await lab.submit();
});
afterAll(() => lab.close());
const { ask } = restClient(() => lab);

describe("paths", () => {
  test("are kept by nobody on the way", async () => {
    for (const where of ["jobs/", "nosuch/", `jobs/${id}/csv/`]) {
      const { headers } = await ask(where);
      expect([headers.get("cache-control"), headers.get("x-content-type-options")]).toEqual([
        "no-store",
        "nosniff",
      ]);
    }
  });

  test("without the slash at the end lead to those with it", async () => {
    const led = await ask("jobs?limit=1");
    expect(led.status).toBe(301);
    expect(led.headers.get("location")).toBe("http://localhost/api/v0.2/jobs/?limit=1");
    expect((await ask("jobs/validate", { body: { definition: aJob() } })).status).toBe(200);
  });

  test("of 0.1 lead to 0.2", async () => {
    const led = await lab.app.request("/api/v0.1/jobs/?limit=1");
    expect([led.status, led.headers.get("location")]).toEqual([
      308,
      "http://localhost/api/v0.2/jobs/?limit=1",
    ]);
  });

  test("take the methods that they say", async () => {
    const answer = await ask("jobs/", { method: "DELETE" });
    expect(answer.status).toBe(405);
    expect(await answer.json()).toEqual({ detail: 'Method "DELETE" not allowed.' });
    expect(answer.headers.get("allow")).toContain("POST");
    expect((await ask("jobs/", { method: "OPTIONS" })).status).toBe(200);
  });
});

test("a lab that shows itself to everybody does so here, and lets nobody change anything", async () => {
  const open = await embeddedLab();
  try {
    const nobody = restClient(() => open);
    await open.addWorker();
    await open.addDevice("qemu-01");
    expect((await nobody.ask("devices/", { token: null })).status).toBe(403);
    const body = { to: "anonymous", permission: "view" };
    await open.api("/permissions/lab/lab", { body });
    expect((await nobody.json("devices/", { token: null }))[1].count).toBe(1);
    expect((await nobody.json("jobs/", { token: null }))[1].count).toBe(0);
    const removed = await nobody.ask("devices/qemu-01/", { token: null, method: "DELETE" });
    expect(removed.status).toBe(403);
  } finally {
    await open.close();
  }
});

test("an archive is read, and not even a GET cancels anything in it", async () => {
  const archive = await embeddedLab({ archive: true });
  try {
    const { ask: asked } = restClient(() => archive);
    expect((await asked("jobs/")).status).toBe(200);
    expect((await asked("jobs/1/cancel/")).status).toBe(403);
    expect((await asked("jobs/", { body: { definition: aJob() } })).status).toBe(403);
  } finally {
    await archive.close();
  }
});
