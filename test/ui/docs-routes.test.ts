import { afterAll, beforeAll, expect, test } from "vitest";
import { browserSession } from "../support/browser-session.ts";
import { embeddedLab, type EmbeddedLab } from "../support/embedded-lab.ts";

let lab: EmbeddedLab;
beforeAll(async () => {
  lab = await embeddedLab();
});
afterAll(() => lab.close());

const get = (where: string, headers: Record<string, string> = {}) =>
  lab.app.request(where, { headers: { accept: "text/html", ...headers } });

test("the documentation is read without signing in, and under the policy of all pages", async () => {
  const answer = await get("/docs/queue");
  expect(answer.status).toBe(200);
  expect(answer.headers.get("content-security-policy")).toContain("default-src 'none'");
  const html = await answer.text();
  expect(html).toContain("<title>The queue: who gets a device, and when · Docs · Pumice</title>");
  expect(html).not.toContain('id="sections"');
});

test("who is signed in has the lab's sections, and each their colours", async () => {
  const session = await browserSession(lab);
  expect(await (await session.get("/docs/queue")).text()).toContain('id="sections"');
  const dark = await (await get("/docs/queue", { cookie: "pumice_theme=dark" })).text();
  expect(dark).toContain('data-theme="dark"');
});

test("a token that is not good is no reason not to read", async () => {
  const answer = await get("/docs", { cookie: "pumice_session=pumice_0123456789abcdef_x" });
  expect(answer.status).toBe(200);
});

test("an unchanged page is not sent again; what its address names by hash is kept for ever", async () => {
  const first = await get("/docs/power");
  const etag = first.headers.get("etag") ?? "";
  expect(etag).not.toBe("");
  const again = await get("/docs/power", { "if-none-match": etag });
  expect(again.status).toBe(304);
  const [, index = ""] = /data-index="([^"]+)"/.exec(await first.text()) ?? [];
  const found = await get(index);
  expect(found.headers.get("cache-control")).toContain("immutable");
  expect(((await found.json()) as unknown[]).length).toBeGreaterThan(300);
});

test("links as they stand in the sources lead to the page", async () => {
  for (const [where, to] of [
    ["/docs/power.md", "/docs/power"],
    ["/docs/power/", "/docs/power"],
    ["/docs/methods/README.md", "/docs/methods"],
    ["/docs/", "/docs"],
  ] as const) {
    const answer = await get(where);
    expect([where, answer.status, answer.headers.get("location")]).toEqual([where, 301, to]);
  }
});

test("examples are text, images are images", async () => {
  const example = await get("/docs/examples/uboot/board-01.jinja2");
  expect(example.headers.get("content-type")).toBe("text/plain; charset=utf-8");
  expect(await example.text()).toContain("{% extends 'base-uboot.jinja2' %}");
  expect((await get("/docs/images/job-page.png")).headers.get("content-type")).toBe("image/png");
});

test.each([
  "/docs/no-such-page",
  "/docs/manifest.json",
  "/docs/..%2f..%2fpackage.json",
  "/docs/%2e%2e/package.json",
  "/docs/examples/../../package.json",
  "/docs//etc/passwd",
  "/docs/__proto__",
  "/docs/constructor",
])("%s is not there", async (where) => {
  // A browser itself resolves the dots of some: then it asks for a page that needs signing in.
  expect([303, 404]).toContain((await get(where)).status);
});

test("the description of the API is served to everybody", async () => {
  const answer = await lab.app.request("/api/v1/openapi.json");
  expect(answer.status).toBe(200);
  expect(await answer.json()).toMatchObject({ openapi: "3.1.0", servers: [{ url: "/api/v1" }] });
});
