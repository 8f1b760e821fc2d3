import { afterEach, beforeEach, expect, test } from "vitest";
import { embeddedLab, type EmbeddedLab } from "../support/embedded-lab.ts";

let lab: EmbeddedLab;
beforeEach(async () => void (lab = await embeddedLab()));
afterEach(() => lab.close());

const choose = (theme: string, headers: Record<string, string> = {}) =>
  lab.app.request("/theme", {
    method: "POST",
    headers: { "sec-fetch-site": "same-origin", ...headers },
    body: new URLSearchParams({ theme }).toString(),
  });

test("the colours that somebody chose come with the page, before they have signed in, too", async () => {
  const answer = await choose("dark", { referer: "http://lab.example/sign-in?next=%2Fdevices" });
  expect(answer.status).toBe(303);
  expect(answer.headers.get("location")).toBe("/sign-in?next=%2Fdevices");
  const cookie = answer.headers.get("set-cookie")!.split(";")[0]!;
  const page = async (headers = {}) => (await lab.app.request("/sign-in", { headers })).text();
  expect(await page({ cookie })).toContain('<html lang="en" data-theme="dark">');
  expect(await page()).toContain('<html lang="en">');
  expect(await page({ cookie: 'pumice_theme="><script>' })).toContain('<html lang="en">');
});

test("what the system prefers comes back by forgetting the choice", async () => {
  const answer = await choose("auto");
  expect(answer.headers.get("location")).toBe("/");
  expect(answer.headers.get("set-cookie")).toMatch(/^pumice_theme=; Max-Age=0/);
});

test("another site can neither choose the colours nor be gone back to", async () => {
  expect((await choose("dark", { "sec-fetch-site": "cross-site" })).status).toBe(403);
  const answer = await choose("dark", { referer: "https://evil.example//other.example/" });
  expect([answer.status, answer.headers.get("location")]).toEqual([303, "/"]);
});
