import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { AuditPage } from "#protocol/people.ts";
import { embeddedLab, type EmbeddedLab } from "../support/embedded-lab.ts";
import { ROWS } from "./access-matrix.ts";

let lab: EmbeddedLab;
beforeAll(async () => {
  lab = await embeddedLab();
  await lab.addWorker();
  await lab.addDevice("qemu-01");
  await lab.addStranger("owner");
});
afterAll(() => lab.close());

const entries = async (query = "") =>
  (await lab.api<AuditPage>(`/audit?limit=200${query}`)).entries;

/** What changes nothing of the lab: it asks, it is asked for what is so already, or it is a job's, whose history has it. */
const NOTHING = [
  /^POST .*\/lab\/(plan|apply)$/,
  /^PUT .*\/settings$/,
  /^POST .*\/retention\/run$/,
  /^POST .*\/permissions\//,
  /^DELETE .*\/workers\/bench\/pin$/,
  /^POST .*\/workers\/bench\/health$/,
  /^POST \/devices\/qemu-01\/(health|dictionary)$/,
  /^POST \/queries\/owner\/mine$/,
  /^POST .*\/sign-in-links$/,
  /^POST .*\/users\/somebody\/sign-out$/,
  /^\w+ .*\/groups\/new\/members\/somebody$/,
  /^POST .*\/(templates|health-checks|texts)\/.*\/put-back$/,
  /^PUT .*\/backup\/restore\//,
  /^(POST|PATCH) (\/api\/v1)?\/(jobs|submit)(\/|$)/,
];

describe("what an administrator does is in the audit log", () => {
  const changes = ROWS.filter(({ method, path, class: name }, index) => {
    const isAgain = ROWS.findIndex((row) => row.method === method && row.path === path) < index;
    if (isAgain) return false;
    const isDone = !["everybody", "workers", "job 1"].includes(name) && method !== "GET";
    return isDone && !NOTHING.some((one) => one.test(`${method} ${path}`));
  });

  test.each(changes.map((row) => [`${row.method} ${row.path}`, row] as const))(
    "%s",
    async (_name, { method, path, body }) => {
      const before = await entries();
      const answer = await lab.app.request(path, {
        method,
        headers: { authorization: `Bearer ${lab.adminToken}` },
        ...(body === undefined
          ? {}
          : { body: typeof body === "string" ? body : JSON.stringify(body) }),
      });
      await answer.arrayBuffer();
      await lab.settled();
      const known = new Set(before.map(({ id }) => id));
      const made = (await entries()).filter(({ id, who }) => !known.has(id) && who === "admin");
      // What was refused leaves nothing; a form that did something leads on to a page.
      if (answer.status < 400) expect(made).not.toEqual([]);
      else expect(made).toEqual([]);
    },
  );
});

describe("the audit log", () => {
  test("is filtered by what was changed, who did it and when, newest first", async () => {
    await lab.api("/tags/usb", { method: "PUT", body: { description: "one" } });
    lab.pass(60);
    await lab.api("/tags/usb", { method: "PUT", body: { description: "two" } });
    const [second, first] = await entries("&kind=tag&name=usb");
    expect(second).toMatchObject({
      who: "admin",
      kind: "tag",
      name: "usb",
      changed: { description: ["one", "two"] },
    });
    expect(Date.parse(second!.time) - Date.parse(first!.time)).toBe(60_000);
    expect(await entries(`&kind=tag&from=${second!.time}`)).toHaveLength(1);
    expect((await entries(`&to=${first!.time}`)).every(({ time }) => time <= first!.time)).toBe(
      true,
    );
    expect(await entries("&who=nobody")).toEqual([]);
  });

  test("comes in pages that miss nothing and repeat nothing", async () => {
    const whole = await entries();
    const found: string[] = [];
    for (let cursor: string | undefined = ""; cursor !== undefined;) {
      const query: string = cursor === "" ? "" : `&cursor=${encodeURIComponent(cursor)}`;
      const page = await lab.api<AuditPage>(`/audit?limit=7${query}`);
      found.push(...page.entries.map(({ id }) => id));
      cursor = page.next_cursor;
    }
    expect(found.slice(0, whole.length)).toEqual(whole.map(({ id }) => id));
    expect(new Set(found).size).toBe(found.length);
  });

  test("has no secret: neither a token nor a password nor a worker's texts", async () => {
    const env = "SECRET: hunter2";
    await lab.api("/workers/bench", { method: "PUT", body: { env } });
    const text = JSON.stringify(await entries());
    expect(text).not.toMatch(/pumice_[0-9a-f]{16}_|hunter2|a few words|glpat|shared/);
    expect(text).toContain('"env":["version');
  });

  test("refuses a time that is none", async () => {
    expect((await lab.request("/audit?from=yesterday")).status).toBe(400);
  });
});
