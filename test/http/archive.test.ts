import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openLab, type Lab } from "../../control-plane/serve.ts";
import { aJob } from "../support/builders.ts";
import { ELSEWHERE, ROWS, type Row } from "./access-matrix.ts";

let dir: string;
let archive: Lab;
let token: string;

/** A lab in which a job waits for a device: opened again only to be read. */
beforeAll(async () => {
  dir = mkdtempSync(path.join(tmpdir(), "pumice-archive-"));
  const lab = await openLab({ dataDir: dir });
  token = readFileSync(path.join(dir, "admin-token"), "utf8").trim();
  const made = [
    await ask(lab, "POST", "/api/v1/workers", { name: "bench" }),
    await ask(lab, "PUT", "/api/v1/devices/qemu-01", {
      device_type: "qemu",
      worker: "bench",
      dictionary: "{% extends 'qemu.jinja2' %}",
    }),
    await ask(lab, "POST", "/api/v1/jobs", aJob()),
  ];
  if (!made.every(({ ok }) => ok)) throw new Error("the lab should have a job by now");
  await lab.close();
  archive = await openLab({ dataDir: dir, settings: { archive: true } });
});
afterAll(async () => {
  await archive.close();
  rmSync(dir, { recursive: true, force: true });
});

const ask = (lab: Lab, method: string, where: string, body?: unknown) =>
  Promise.resolve(
    lab.app.request(where, {
      method,
      headers: { authorization: `Bearer ${token}`, "sec-fetch-site": "same-origin" },
      ...(body === undefined
        ? {}
        : { body: typeof body === "string" ? body : JSON.stringify(body) }),
    }),
  );

const reads = ({ method, path: where }: Row): boolean =>
  method === "GET" && !where.startsWith("/api/v1/worker/");
const reading = ROWS.filter(reads);
const changing = ROWS.filter((row) => !reads(row));
const titled = (rows: readonly Row[]) =>
  rows
    .filter((row) => !ELSEWHERE.includes(`${row.method} ${row.path}`))
    .map((row) => [`${row.method} ${row.path}`, row] as const);

describe("an archive", () => {
  test.each(titled(changing))("refuses %s with a sentence", async (_name, row) => {
    const answer = await ask(archive, row.method, row.path, row.body);
    expect(answer.status).toBe(403);
    expect(await answer.text()).toContain("this lab is an archive");
  });

  test.each(titled(reading))("does not refuse %s", async (_name, row) => {
    const answer = await ask(archive, row.method, row.path);
    expect(await answer.text()).not.toContain("this lab is an archive:");
    expect(answer.status).toBeLessThan(500);
  });

  test("shows what the lab had, and starts nothing that waited", async () => {
    await archive.engine.signals.passesDone();
    const job = (await (await ask(archive, "GET", "/api/v1/jobs/1")).json()) as { state: string };
    expect(job.state).toBe("Submitted");
  });

  test("refuses a page's form with a page, and everybody else with a problem", async () => {
    const form = (accept: string) =>
      archive.app.request("/account/tokens", {
        method: "POST",
        headers: { accept, "sec-fetch-site": "same-origin" },
        body: "description=ci",
      });
    const page = await form("text/html");
    expect(page.status).toBe(403);
    expect(page.headers.get("content-type")).toContain("text/html");
    expect(page.headers.get("content-security-policy")).toContain("default-src 'none'");
    expect(await page.text()).toContain("<h1>Not allowed</h1>");
    expect(await (await form("*/*")).json()).toMatchObject({ code: "forbidden" });
  });

  test("lets people sign in, and says on its pages what it is", async () => {
    const page = await archive.app.request("/sign-in", {
      method: "POST",
      headers: {
        "content-type": "application/x-www-form-urlencoded",
        "sec-fetch-site": "same-origin",
      },
      body: new URLSearchParams({ token }).toString(),
    });
    const cookie = page.headers.get("set-cookie")?.split(";")[0] ?? "";
    expect(cookie).not.toBe("");
    const jobs = await archive.app.request("/", { headers: { cookie } });
    const html = await jobs.text();
    expect(html).toContain("This lab is an archive");
    expect(html).not.toContain('href="/submit"');
  });
});
