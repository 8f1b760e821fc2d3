import { expect, test } from "vitest";
import type { RelayInput, RelayOutput } from "#protocol/console-requests.ts";
import { consoleRelays, type OpenedDevice } from "../../worker/agent/console-relays.ts";
import { HttpError } from "../../worker/host/http-client.ts";
import { until } from "../support/real-lab.ts";
import { systemClock } from "../../worker/agent/clock.ts";

const MB = 1024 * 1024;
const ticket = { id: "s1", device_hostname: "board-01", device: "" };

/** A device that is opened at once, and a control plane that takes nothing until `release`. */
function bench() {
  let say = (_bytes: Uint8Array): void => {};
  let end = (_why: string): void => {};
  let release = (): void => {};
  const released = new Promise<void>((resolve) => (release = resolve));
  const taken: RelayOutput[] = [];
  const events: string[] = [];
  let next = 0;
  const device: OpenedDevice = {
    transport: {
      onData: (listener) => (say = listener),
      onEnd: (listener) => (end = listener),
      write: async () => {},
      close: async () => void events.push("closed"),
    },
    power: async (what) => void events.push(`power ${what}`),
    leave: async () => void events.push("left"),
  };
  const controlPlane = {
    async consoleOutput(_id: string, request: RelayOutput) {
      if (request.data !== "") await released;
      taken.push(request);
      next = request.from + Buffer.from(request.data, "base64").length;
      return { next, ...(request.ended === undefined ? {} : { ended: request.ended }) };
    },
    async consoleInput(_id: string, { from }: RelayInput, signal: AbortSignal) {
      if (from !== undefined) {
        await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
        throw new HttpError("given up", { status: 0 });
      }
      return { inputs: [], next: 0 };
    },
  };
  const stop = new AbortController();
  const closed: string[] = [];
  const relays = consoleRelays(
    {
      controlPlane,
      clock: systemClock,
      log: (line) => events.push(line),
      openDevice: async () => device,
      closed: () => closed.push("closed"),
    },
    stop.signal,
  );
  const said = (): string =>
    taken.map(({ data }) => Buffer.from(data, "base64").toString()).join("");
  return {
    ...{ relays, stop, events, taken, said, closed },
    say: (text: string) => say(Buffer.from(text)),
    end: (why: string) => end(why),
    release: () => release(),
  };
}

test("of what a device says while the control plane is slow 1 MB is kept; how much is left out is said", async () => {
  const { relays, say, end, release, said, taken } = bench();
  relays.apply([ticket]);
  await until(() => taken.length === 1);
  for (let n = 0; n < 40; n++) say("x".repeat(64 * 1024));
  end("the far side has hung up");
  release();
  await relays.done();
  expect(said().match(/x/g)).toHaveLength(MB);
  expect(said()).toContain(
    `[${24 * 64 * 1024} bytes left out: the device says more than can be sent]`,
  );
  expect(taken.at(-1)?.ended).toBe("the far side has hung up");
  expect(Math.max(...taken.map(({ data }) => data.length))).toBeLessThanOrEqual(44_000);
});

test("a session that is over is left, its device switched off where that was asked for, and only then its port is free", async () => {
  const { relays, events, closed, taken } = bench();
  relays.apply([{ ...ticket, off_at_end: true }]);
  await until(() => taken.length === 1);
  expect(relays.has("board-01")).toBe(true);
  relays.apply([]);
  expect(relays.has("board-01")).toBe(true);
  await relays.done();
  expect(events.filter((line) => !line.startsWith("console of"))).toEqual([
    "left",
    "power off",
    "closed",
  ]);
  expect([relays.has("board-01"), closed.length]).toEqual([false, 1]);
});

test("an agent that stops leaves the session to the next one: it does not leave it, and switches nothing off", async () => {
  const { relays, events, stop, taken } = bench();
  relays.apply([{ ...ticket, off_at_end: true }]);
  await until(() => taken.length === 1);
  stop.abort();
  await relays.done();
  expect(events.filter((line) => !line.startsWith("console of"))).toEqual(["closed"]);
});

test("the console of a job that waits keeps no other job from the device", async () => {
  const { relays, taken, stop } = bench();
  relays.apply([{ ...ticket, job_id: 42 }]);
  await until(() => taken.length === 1);
  expect(relays.has("board-01")).toBe(false);
  stop.abort();
  await relays.done();
});
