import { expect, test } from "vitest";
import { Console } from "../../worker/console/console.ts";
import type { Transport } from "../../worker/console/transport.ts";
import type { Action } from "../../worker/pipeline/action.ts";
import { consoleSlot } from "../../worker/pipeline/job-slots.ts";
import { planJob } from "../../worker/pipeline/plan.ts";
import { makeRecorder } from "../../worker/pipeline/recorder.ts";
import { runJob } from "../../worker/pipeline/run-job.ts";
import type { Strategy } from "../../worker/pipeline/strategy.ts";
import { aJobContext } from "../support/plan-of.ts";

const silent: Transport = {
  onData: () => {},
  onEnd: () => {},
  write: async () => {},
  close: async () => {},
};

test("each part of a job types at its own pace, on a console that an earlier part opened", async () => {
  const paces: Record<string, number[]> = {};
  const look = (part: string): Action => ({
    name: `look-${part}`,
    steps: [
      {
        name: `look-on-${part}`,
        run: async ({ connection, characterDelayMs }) => {
          const console = connection.find(consoleSlot) ?? new Console(silent, { log: () => 0 });
          connection.put(consoleSlot, console);
          paces[part] = [characterDelayMs, console.characterDelayMs];
        },
      },
    ],
  });
  const part = (family: "deploy" | "boot" | "test"): Strategy =>
    ({ family, name: family, refuses: () => undefined, action: () => look(family) }) as Strategy;
  const job = aJobContext({
    actions: [{ deploy: { to: "tmpfs" } }, { boot: { method: "minimal" } }, { test: {} }],
  });
  const device = { ...job.device, character_delays: { boot: 20, test: 5 } };
  const strategies = [part("deploy"), part("boot"), part("test")];
  const never = new AbortController().signal;
  await runJob(
    { ...job, device },
    () => planJob({ ...job, device }, strategies, { name: "finalize" }),
    makeRecorder({ sink: () => {} }),
    { cancel: never, cancelAgain: never },
  );
  expect(paces).toEqual({ deploy: [0, 0], boot: [20, 20], test: [5, 5] });
});
