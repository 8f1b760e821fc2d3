import { Hono } from "hono";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Env } from "../../control-plane/http/route.ts";
import { fileAnswer } from "../../control-plane/lava/file-answer.ts";
import { embeddedLab, type EmbeddedLab } from "../support/embedded-lab.ts";

let lab: EmbeddedLab;
beforeAll(async () => {
  lab = await embeddedLab();
});
afterAll(() => lab.close());

const FILE = { type: "application/yaml", name: "job 7/../x.yaml", job: 7 };
const appWith = (text: () => AsyncGenerator<string>, blobOrigin?: string) => {
  const settings = { ...lab.deps.settings, ...(blobOrigin === undefined ? {} : { blobOrigin }) };
  const app = new Hono<Env>();
  app.get("/", (c) => fileAnswer({ ...lab.deps, settings }, c, text(), FILE));
  return app;
};
async function* pieces(count: number): AsyncGenerator<string> {
  for (let n = 0; n < count; n++) yield `${"x".repeat(99_999)}\n`;
}

test("a text is sent as it is made, under a name that is no path", async () => {
  const answer = await appWith(() => pieces(3)).request("/");
  expect(answer.headers.get("content-disposition")).toBe("attachment; filename=job_7_.._x.yaml");
  expect(await answer.text()).toHaveLength(300_000);
});

test("whoever goes away ends the making of it", async () => {
  let made = 0;
  let isOver = false;
  async function* endless(): AsyncGenerator<string> {
    try {
      for (;;) {
        made += 1;
        yield "x".repeat(1000);
      }
    } finally {
      isOver = true;
    }
  }
  const answer = await appWith(endless).request("/");
  const reader = answer.body!.getReader();
  await reader.read();
  await reader.cancel();
  expect([isOver, made < 10]).toEqual([true, true]);
});

test("where answers are bounded, a long one is fetched from where it is kept for a while", async () => {
  const short = await appWith(() => pieces(2), "https://blobs.test").request("/");
  expect([short.status, (await short.text()).length]).toEqual([200, 200_000]);
  const long = await appWith(() => pieces(25), "https://blobs.test").request("/");
  expect(long.status).toBe(303);
  const where = long.headers.get("location")!;
  const kept = await lab.app.request(where.replace(/^https:\/\/[^/]+/, ""));
  expect(await kept.text()).toHaveLength(2_500_000);
});
