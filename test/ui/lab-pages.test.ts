import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { addRelease, aRelease, aSigner } from "../support/a-release.ts";
import { browserSession, runningJob, type BrowserSession } from "../support/browser-session.ts";
import { aJob } from "../support/builders.ts";
import { embeddedLab, type EmbeddedLab } from "../support/embedded-lab.ts";

const HOSTILE = `<script>alert(1)</script>"'&`;
const DICTIONARY = "{% extends 'qemu.jinja2' %}\n{% set memory = 512 %}\n";

let lab: EmbeddedLab;
let browser: BrowserSession;
let worker: string;
beforeEach(async () => {
  lab = await embeddedLab();
  worker = await lab.addWorker();
  await lab.addDevice("qemu-01");
  browser = await browserSession(lab);
});
afterEach(() => lab.close());

async function show(path: string, status = 200, as = browser): Promise<string> {
  const answer = await as.get(path);
  const html = await answer.text();
  if (answer.status !== status) throw new Error(`${path}: ${answer.status} ${html}`);
  expect(html).not.toContain("<script>");
  expect(html).not.toContain(" style=");
  return html;
}
const stranger = async () => browserSession(lab, (await lab.addStranger("eve")).token);
const user = async () => browserSession(lab, (await lab.addUser("alice")).token);

describe("the board of devices", () => {
  test("has the devices of each type, with their last jobs in words and as links", async () => {
    const { id, token } = await runningJob(lab, worker);
    await lab.finish(id, token, { result: "fail", error_type: "Test", error_msg: "no", lines: 0 });
    await lab.addDevice("board-01", { device_type: "x15", description: HOSTILE, health: "Bad" });
    const html = await show("/devices");
    expect(html).toContain('id="type-qemu"');
    expect(html).toContain("Last jobs of qemu-01: 1 Incomplete; the newest last");
    expect(html).toMatch(
      new RegExp(`class="cell bad" href="/jobs/${id}"[^>]*>.*#${id}: Incomplete`),
    );
    expect(html).toContain("2 devices");
    expect(html).toMatch(/status bad.*1 Bad/);
    expect(await show("/devices?health=Bad")).not.toContain("qemu-01");
    expect(await show("/devices?text=nothing")).toContain("No device fits this filter.");
    await show("/devices?health=Nonsense", 400);
    await show("/devices?cursor=%00", 400);
  });

  test("shows nobody what they may not see", async () => {
    const eve = await stranger();
    for (const path of ["/devices", "/device-types", "/queue", "/workers"]) {
      const html = await show(path, 200, eve);
      expect(html).not.toContain("qemu");
      expect(html).not.toContain("bench");
    }
    for (const tab of ["", "/jobs", "/dictionary", "/configuration", "/history"]) {
      await show(`/devices/qemu-01${tab}`, 404, eve);
    }
    await show("/device-types/qemu", 404, eve);
    await show("/device-types/qemu/template", 403, eve);
  });
});

describe("a device's forms", () => {
  const post = (form: string, fields: Record<string, string>, as = browser) =>
    as.post(`/devices/qemu-01/${form}`, fields);
  const device = async () =>
    lab.api<{ health: string; reservation?: { holder: string; until?: string } }>(
      "/devices/qemu-01",
    );

  test("set its health, for who may change it and no one else", async () => {
    const alice = await user();
    expect(await show("/devices/qemu-01", 200, alice)).not.toContain("Set the health");
    expect((await post("health", { health: "Bad" }, alice)).status).toBe(403);
    expect((await device()).health).toBe("Good");
    const answer = await post("health", { health: "Maintenance", reason: HOSTILE });
    expect([answer.status, answer.headers.get("location")]).toEqual([303, "/devices/qemu-01"]);
    expect((await device()).health).toBe("Maintenance");
    expect(await show("/devices/qemu-01/history")).toContain("health: Good → Maintenance");
    expect((await post("health", { health: "Nonsense" })).status).toBe(400);
    expect((await post("health-check", {})).status).toBe(409);
  });

  test("reserve, extend and release it; another person's reservation is theirs", async () => {
    const [alice, eve] = [await user(), await stranger()];
    expect(
      (await post("reservation", { do: "reserve", hours: "2", reason: "a talk" }, alice)).status,
    ).toBe(303);
    expect((await device()).reservation).toMatchObject({
      holder: "alice",
      until: "2026-03-01T14:00:00.000Z",
    });
    expect(await show("/devices/qemu-01", 200, alice)).toContain("Release it now");
    expect((await post("reservation", { do: "extend", hours: "0.5" }, alice)).status).toBe(303);
    expect((await device()).reservation?.until).toBe("2026-03-01T14:30:00.000Z");
    expect((await post("reservation", { do: "release" }, eve)).status).toBeGreaterThanOrEqual(403);
    expect((await device()).reservation?.holder).toBe("alice");
    expect((await post("reservation", { do: "release" }, alice)).status).toBe(303);
    expect((await device()).reservation).toBeUndefined();
    for (const fields of [
      { do: "steal" },
      { do: "reserve", hours: "-1" },
      { do: "reserve", hours: "0" },
    ]) {
      expect((await post("reservation", fields as never)).status).toBe(400);
    }
  });

  test("of another site change nothing", async () => {
    const elsewhere = { "sec-fetch-site": "cross-site" };
    for (const form of ["health", "health-check", "reservation", "dictionary"]) {
      const answer = await browser.post(`/devices/qemu-01/${form}`, { health: "Bad" }, elsewhere);
      expect(answer.status).toBe(403);
    }
  });
});

test("types that lists leave out stay shown from page to page", async () => {
  const types = Array.from({ length: 101 }, (_none, n) => `type-${String(n).padStart(3, "0")}`);
  for (const name of types) {
    await lab.api(`/device-types/${name}`, { method: "PUT", body: { display: false } });
  }
  const all = "/device-types?all=yes";
  expect(await show("/device-types")).toContain(`href="${all}"`);
  const [, next = ""] = /rel="next" href="([^"]+)"/.exec(await show(all)) ?? [];
  expect(await show(next.replaceAll("&amp;", "&"))).toContain("type-100");
});

describe("a device's dictionary", () => {
  const save = (text: string, version: number, comment = "") =>
    browser.post("/devices/qemu-01/dictionary", { text, version: String(version), comment });

  beforeEach(async () => {
    await lab.addDevice("qemu-01", { dictionary: DICTIONARY, configuration: undefined });
  });

  test("is edited, compared with what it was, and put back", async () => {
    expect((await save(DICTIONARY.replace("512", "1024"), 2, HOSTILE)).status).toBe(303);
    const html = await show("/devices/qemu-01/dictionary");
    expect(html).toContain("1024");
    expect(html).toContain("&lt;script&gt;alert(1)");
    const changes = await show("/devices/qemu-01/dictionary?from=2&to=3");
    expect(changes).toContain('class="diff-line removed">-{% set memory = 512 %}');
    expect(changes).toContain('class="diff-line added">+{% set memory = 1024 %}');
    expect(await show("/devices/qemu-01/dictionary?from=3&to=3")).toContain("They are the same.");
    const old = await show("/devices/qemu-01/dictionary?version=1");
    expect(old).toContain("This is version 1");
    const back = await browser.post("/devices/qemu-01/dictionary", { put_back: "2" });
    expect(back.headers.get("location")).toBe("/devices/qemu-01/dictionary");
    expect(await show("/devices/qemu-01/dictionary")).toContain("back to version 2");
    await show("/devices/qemu-01/dictionary?version=99", 404);
    await show("/devices/qemu-01/dictionary?from=1&to=99", 404);
  });

  test("is edited as it is now also beside its older versions", async () => {
    for (let version = 2; version < 25; version++) {
      await save(DICTIONARY.replace("512", String(version)), version);
    }
    const [, older] = /href="([^"]+cursor=\d+)"/.exec(await show("/devices/qemu-01/dictionary"))!;
    const [, version] = /name="version" value="(\d+)"/.exec(await show(older!))!;
    expect((await save(DICTIONARY, Number(version))).status).toBe(303);
  });

  test("that is refused is shown again with the reason, and nothing is lost", async () => {
    const bad = await save("{% extends 'qemu.jinja2' %}\n{% set x = %}\n", 2);
    expect(bad.status).toBe(400);
    const html = await bad.text();
    expect(html).toContain("line 2");
    expect(html).toContain("{% set x = %}");
    expect((await save(DICTIONARY.replace("512", "256"), 1)).status).toBe(409);
    expect(await show("/devices/qemu-01/dictionary")).toContain("512");
  });

  test("renders to a configuration whose values say which line set them", async () => {
    const html = await show("/devices/qemu-01/configuration");
    expect(html).toMatch(/href="\/devices\/qemu-01\/dictionary#line-2">dictionary:2 memory/);
    expect(html).toMatch(/class="origin">qemu\.jinja2:\d+/);
  });

  test("that a device has not: its configuration is shown, and no line of a template", async () => {
    await lab.addDevice("qemu-02");
    const html = await show("/devices/qemu-02/configuration");
    expect(html).toContain("available_architectures");
    expect(html).not.toContain('class="origin');
    expect(await show("/devices/qemu-02/dictionary")).toContain("It has no dictionary");
  });

  test("is read by who may see the device, without a form", async () => {
    const html = await show("/devices/qemu-01/dictionary", 200, await user());
    expect(html).toContain("memory");
    expect(html).not.toContain("<textarea");
    expect(html).not.toContain("Put back");
  });
});

describe("device types", () => {
  test("are listed with devices and what waits, and each has its page and texts", async () => {
    await lab.addDevice("bbb-01", { device_type: "beaglebone-black" });
    await lab.submit(aJob());
    expect(await show("/device-types")).toContain('href="/queue?device_type=qemu">1<');
    await lab.api("/aliases/emulator", { method: "PUT", body: { device_type: "qemu" } });
    await lab.api("/health-checks/qemu", { method: "PUT", body: aJob({ name: "check" }) });
    const html = await show("/device-types/qemu");
    expect(html).toContain("emulator");
    expect(html).toContain("the lab’s own, with versions");
    expect(html).toContain('href="/devices/qemu-01"');
    expect(await show("/device-types/qemu/health-check")).toContain("check");
    expect(await show("/device-types/qemu/template")).toContain("It is Pumice’s");
    await show("/device-types/none", 404);
    await show("/device-types/qemu/template?version=9", 200);
  });

  test("say how the last jobs of their devices went", async () => {
    const { id, token } = await runningJob(lab, worker);
    await lab.finish(id, token, { result: "pass", lines: 0 });
    expect(await show("/device-types/qemu")).toContain("100 % of 1 Complete");
  });
});

test("the queue shows what waits for each type, why, and when it may begin", async () => {
  await lab.addDevice("board-01", { device_type: "x15" });
  await runningJob(lab, worker);
  await lab.submit(aJob({ name: "second" }));
  await lab.submit(aJob({ name: "for the board", deviceType: "x15", lines: ["tags: []"] }));
  await lab.api("/devices/board-01/health", { method: "POST", body: { health: "Bad" } });
  const id = await lab.submit(aJob({ name: "held", deviceType: "x15" }));
  const html = await show("/queue");
  expect(html).toContain("second");
  expect(html).toContain(`href="/jobs/${id}"`);
  expect(html).toContain("expected to begin in about 10 min, which is a guess");
  const { jobs } = await lab.api<{ jobs: object[] }>("/queue?device_type=qemu");
  expect(jobs[0]).toMatchObject({ position: 1, sure: "guess", expected_start: expect.any(String) });
});

test("workers show their load, and what the roll-out does with them", async () => {
  await lab.addWorker("far", 4);
  await runningJob(lab, worker);
  const html = await show("/workers");
  expect(html).toContain("1 job<");
  expect(html).toContain("0 of 4 jobs");
  const signer = aSigner();
  await addRelease(lab, signer, aRelease(signer, "9.0.0"));
  const told = { version: "1.0.0", platform: "linux-x64" };
  await lab.sync(worker, [], told);
  await lab.api("/rollout", { body: { version: "9.0.0" } });
  expect(await show("/workers")).toContain("gets 9.0.0 next");
  expect(await show("/workers/bench")).toContain("gets 9.0.0 next");
  await lab.api("/rollout/stop", { method: "POST" });
  expect(await show("/workers")).not.toContain("gets 9.0.0 next");
  expect(await show("/workers/bench")).toContain("9.0.0 is stopped");
});
