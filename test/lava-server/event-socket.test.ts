import { afterEach, expect, test, vi } from "vitest";
import { systemClock } from "../../worker/agent/clock.ts";
import { listenForEvents } from "../../worker/lava-server/event-socket.ts";

afterEach(() => vi.unstubAllGlobals());

test("where Node.js has no WebSocket the worker says so, and goes on asking at its interval", async () => {
  vi.stubGlobal("WebSocket", undefined);
  const said: string[] = [];
  await listenForEvents(
    {
      ...{ url: "ws://127.0.0.1:1/ws/", name: "bench", clock: systemClock },
      ...{ ring: () => {}, log: (line: string) => void said.push(line) },
    },
    new AbortController().signal,
  );
  expect(said).toEqual([expect.stringContaining("no WebSocket")]);
});
