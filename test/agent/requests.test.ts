import { afterEach, beforeEach, expect, test } from "vitest";
import { AgentBench } from "../support/agent-bench.ts";
import { agentProgram } from "../support/agent-program.ts";
import { FakeControlPlane } from "../support/fake-control-plane.ts";
import { FakeQueue, message } from "../support/fake-queue.ts";

let program: Awaited<ReturnType<typeof agentProgram>>;
let plane: FakeControlPlane;
let queue: FakeQueue;
let bench: AgentBench;
beforeEach(async () => {
  program = await agentProgram();
  plane = await new FakeControlPlane().listen();
  queue = await new FakeQueue().listen();
  bench = new AgentBench(program.file, plane.token);
});
afterEach(async () => {
  await bench.close();
  await queue.stop();
  await plane.stop();
  program.remove();
});

// Each is paid for in the cloud.
test.each([
  ["four", 64 * 1024, []],
  ["six, of an older control plane,", undefined, ["log-uploads 1", "put 1"]],
])(
  "an agent at its queue makes %s requests for a short job that nobody watches",
  async (_, most, more) => {
    plane.logBodyBytes = most;
    const wait = { hold_seconds: 20, expires_seconds: 900, sync_seconds: 300 };
    plane.wait = { kind: "queue", url: queue.url, ...wait };
    bench.start(plane.url);
    await queue.asked(1);
    plane.requests.length = 0;
    plane.submit(1, [{ log: 10 }, { result: "smoke" }]).isWatched = false;
    queue.answer(message());
    await plane.finished(1);
    await bench.untilJobs((names) => names.length === 0);
    expect(queue.requests).toHaveLength(2);
    expect(plane.requests.toSorted()).toEqual(
      ["finish 1", "log-chunks 1", ...more, "sync", "sync"].toSorted(),
    );
  },
);
