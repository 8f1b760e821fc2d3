import { expect, test } from "vitest";
import type { SyncRequest, SyncResponse, UpgradeOffer } from "#protocol/worker-api.ts";
import { SyncLoop, type SyncLoopDeps } from "../../worker/agent/sync-loop.ts";
import { HttpError } from "../../worker/host/http-client.ts";
import { ManualClock } from "../support/manual-clock.ts";

const nothing = { start: [], lost: [], cancel: [], forget: [], watched: [], seen: "s" };

/** A loop that gets these answers, one after the other, and is stopped at the last one's successor. */
async function loopOver(answers: (Partial<SyncResponse> | Error)[], urgentFrom = Infinity) {
  const stop = new AbortController();
  const clock = new ManualClock();
  const log: string[] = [];
  const asked: SyncRequest[] = [];
  const told: (UpgradeOffer | Error | undefined)[] = [];
  const deps: SyncLoopDeps = {
    controlPlane: {
      sync: async (request) => {
        const answer = answers[asked.length];
        asked.push(request);
        if (answer instanceof Error) throw answer;
        if (answer) return { ...nothing, ...answer };
        stop.abort();
        return nothing;
      },
      askQueue: () => Promise.reject(new Error("nobody asked for a queue")),
    },
    clock,
    log: (line) => log.push(line),
    reports: () => [],
    apply: () => {},
    restored: () => {},
    refreshToken: () => {},
    upgrader: {
      question: () => ({ platform: "linux-x64" }),
      get isUrgent() {
        return asked.length >= urgentFrom;
      },
      answered: (offer) => told.push(offer),
      failed: (error) => told.push(error as Error),
    },
  };
  const ended = new SyncLoop().run(deps, stop.signal);
  const passing = setInterval(() => clock.advance(60_000), 1);
  await ended;
  clearInterval(passing);
  return { asked, told, log };
}

const offer = { id: "1", version: "9.0.0" } as UpgradeOffer;

test("sync asks with what the upgrader says, and tells it of offers and failures", async () => {
  const failure = new HttpError("no answer", { status: 0 });
  const { asked, told } = await loopOver([{}, failure, { upgrade: offer }, {}]);
  expect(asked.every(({ platform }) => platform === "linux-x64")).toBe(true);
  expect(told.slice(0, 4)).toEqual([undefined, failure, offer, undefined]);
});

test("an upgrade that waits for its answer is not held back", async () => {
  const { asked } = await loopOver([{}, {}, {}, {}], 2);
  expect(asked.map(({ seen }) => seen).slice(0, 4)).toEqual([undefined, "s", undefined, undefined]);
});

test("why there are no jobs is said once, and again when it is something else", async () => {
  const { log } = await loopOver([
    { notice: "gets no new jobs: it is too old" },
    { notice: "gets no new jobs: it is too old" },
    {},
    { notice: "gets no new jobs: it is too new" },
  ]);
  expect(log.filter((line) => line.includes("no new jobs"))).toEqual([
    "this worker gets no new jobs: it is too old",
    "this worker gets no new jobs: it is too new",
  ]);
});

test("each request has a greater number than those before, and each agent a name of its own", async () => {
  const [one, other] = [await loopOver([{}, {}, {}]), await loopOver([{}])];
  expect(one.asked.slice(0, 3).map(({ report }) => report?.number)).toEqual([1, 2, 3]);
  const runs = [...one.asked, ...other.asked].map(({ report }) => report?.run);
  expect(new Set(runs).size).toBe(2);
});
