import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { TextVersionList } from "#protocol/lab.ts";
import { aJob } from "../support/builders.ts";
import { embeddedLab, type EmbeddedLab } from "../support/embedded-lab.ts";

let lab: EmbeddedLab;
let worker: string;
beforeEach(async () => {
  lab = await embeddedLab();
  worker = await lab.addWorker();
  await lab.addDevice("qemu-01");
});
afterEach(() => lab.close());

const ENV = "/workers/bench/texts/env";
const put = (text: string, where = ENV, headers: Record<string, string> = {}) =>
  lab.request(where, { method: "PUT", body: text, headers });
const versions = async (where = ENV) =>
  (await lab.api<TextVersionList>(`${where}/versions`)).versions;

describe("a worker's texts", () => {
  test("begin empty, without versions", async () => {
    const answer = await lab.request(ENV);
    expect([answer.status, await answer.text(), answer.headers.get("etag")]).toEqual([
      200,
      "",
      '"0"',
    ]);
    expect(await versions()).toEqual([]);
  });

  test("have versions that say who, when and why, and can be put back", async () => {
    await put("overrides: {A: one}\n", `${ENV}?comment=first`);
    await put("overrides: {A: two}\n");
    expect(await versions()).toMatchObject([
      { version: 2, user: "admin" },
      { version: 1, user: "admin", comment: "first" },
    ]);
    await lab.api(`${ENV}/put-back`, { body: { version: 1 } });
    expect(await (await lab.request(ENV)).text()).toBe("overrides: {A: one}\n");
    expect(await (await lab.request(`${ENV}?version=2`)).text()).toContain("two");
  });

  test("are refused when another version is the current one", async () => {
    await put("overrides: {A: one}\n");
    const answer = await put("overrides: {}\n", ENV, { "if-match": '"0"' });
    expect([answer.status, ((await answer.json()) as { message: string }).message]).toEqual([
      409,
      "bench/env is not at version 0 any more: it is at version 1",
    ]);
  });

  test("are refused when they are not of their form, with the line", async () => {
    const answer = await put("# of the bench\noverrides: {A B: c}\n");
    expect(answer.status).toBe(400);
    expect(((await answer.json()) as { message: string }).message).toMatch(
      /^env: line 2: .*variable/,
    );
    expect((await put("x: 1\n", "/workers/bench/texts/other")).status).toBe(400);
  });

  test("get a version as well when the whole worker is set, as a lab directory does", async () => {
    const settings = { description: "", dispatcher: "dispatcher_ip: 10.0.0.1\n" };
    await lab.api("/workers/bench", { method: "PUT", body: settings });
    expect(await versions("/workers/bench/texts/dispatcher")).toHaveLength(1);
    await lab.api("/workers/bench", { method: "PUT", body: settings });
    expect(await versions("/workers/bench/texts/dispatcher")).toHaveLength(1);
    expect(await versions()).toEqual([]);
  });

  test("stand in the worker's history, their words do not", async () => {
    await put("overrides: {PASSWORD: hush-hush}\n");
    const history = JSON.stringify(await lab.api("/workers/bench/history"));
    expect(history).toContain('"env":[null,"version 1"]');
    expect(history).not.toContain("hush-hush");
  });

  test("go with each job to the worker", async () => {
    const texts = {
      dispatcher: "dispatcher_ip: 10.0.0.1\n",
      env: "overrides: {A: b}\n",
      env_dut: "overrides: {LANG: C}\n",
    };
    for (const [name, text] of Object.entries(texts)) {
      expect((await put(text, `/workers/bench/texts/${name}`)).status).toBe(200);
    }
    await lab.sync(worker);
    await lab.api("/jobs", { body: aJob() });
    await lab.settled();
    expect((await lab.sync(worker)).start).toMatchObject([texts]);
  });
});
