import type { ServerResponse } from "node:http";
import { afterEach, beforeEach, expect, test } from "vitest";
import { lavaClient } from "../../../control-plane/cli/import-lava/lava-client.ts";
import {
  anAnswer,
  LAVA_TOKEN,
  LAVA_USER,
  recordedLava,
  type RecordedLava,
} from "../../support/recorded-lava.ts";

let lava: RecordedLava;
const client = (signal = new AbortController().signal, pauseMs = 1) =>
  lavaClient({ url: lava.url, username: LAVA_USER, token: LAVA_TOKEN, signal, pauseMs });
beforeEach(async () => {
  lava = await recordedLava();
});
afterEach(() => lava.close());

test("a call is tried again while LAVA is being restarted or the connection breaks", async () => {
  const troubles: ((response: ServerResponse) => void)[] = [
    (response) => response.writeHead(503).end(),
    (response) => response.destroy(),
    (response) =>
      response.writeHead(200, { "content-length": 100 }).write("<?xml", () => response.destroy()),
  ];
  lava.answers.set("system.version", (response) => {
    troubles.shift()?.(response);
    if (troubles.length === 0) lava.answers.delete("system.version");
  });
  expect(await client()("system.version")).toBe("2023.01");
  expect(lava.calls).toHaveLength(4);
});

test("in the end it says why LAVA can't be reached", async () => {
  lava.answers.set("system.version", (response) => response.writeHead(502).end());
  await expect(client()("system.version")).rejects.toThrow("HTTP 502");
  const { url } = lava;
  await lava.close();
  await expect(client()("system.version")).rejects.toThrow(`${url} can't be reached`);
  lava = await recordedLava();
});

test("what LAVA refuses is not asked again", async () => {
  await expect(client()("no.such")).rejects.toMatchObject({ name: "ClientError", code: -32601 });
  expect(lava.calls).toEqual(["no.such"]);
});

test("an answer without end is cut off", async () => {
  lava.answers.set("system.version", (response) => {
    const more = (): void => void (response.destroyed || response.write("x".repeat(1 << 20), more));
    more();
  });
  await expect(client()("system.version")).rejects.toThrow("an answer of more than");
});

test("Ctrl-C ends a call that waits", async () => {
  const stop = new AbortController();
  lava.answers.set("system.version", () => stop.abort());
  await expect(client(stop.signal)("system.version")).rejects.toMatchObject({ name: "AbortError" });
});

test("text of any language arrives as it is", async () => {
  lava.answers.set("system.version", anAnswer("<string>Gerät № 1</string>"));
  expect(await client()("system.version")).toBe("Gerät № 1");
});
