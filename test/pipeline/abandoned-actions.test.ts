import { expect, test } from "vitest";
import { JobFailure } from "../../worker/pipeline/job-failure.ts";
import { slot } from "../../worker/pipeline/slot.ts";
import { aJobContext, run } from "../support/plan-of.ts";

const canceled = new JobFailure("Canceled", "The job was canceled");

function stoppable() {
  const [cancel, again] = [new AbortController(), new AbortController()];
  return { cancel, again, signals: { cancel: cancel.signal, cancelAgain: again.signal } };
}

test("what an action acquires after it was given up is given back at once", async () => {
  const { cancel, signals } = stoppable();
  let acquire = (): void => {};
  const released = new Promise<void>((resolve) => {
    acquire = () => resolve();
  });
  let late = (): void => {};
  const { outcome } = await run(
    {
      name: "block",
      run: async ({ defer }) => {
        cancel.abort(canceled);
        // Deaf to its signal, it goes on after the job has ended.
        await new Promise<void>((resolve) => (late = resolve));
        defer(async () => acquire());
      },
    },
    { signals },
  );
  expect(outcome.error_type).toBe("Canceled");
  late();
  await released;
});

test("what an abandoned action says does not follow the job's last record", async () => {
  const { cancel, signals } = stoppable();
  let speak = (): void => {};
  const ran = await run(
    {
      name: "block",
      run: async ({ log }) => {
        speak = () => log.info("me again");
        cancel.abort(canceled);
      },
    },
    { signals },
  );
  const before = ran.records.length;
  speak();
  expect(ran.records).toHaveLength(before);
  expect(ran.records.at(-1)?.msg).toMatchObject({ case: "job" });
});

test("no action is begun once the job was canceled, and one that listens ends in order", async () => {
  const { cancel, signals } = stoppable();
  const begun: string[] = [];
  const ran = await run(
    {
      name: "block",
      steps: [
        {
          name: "listens",
          run: async ({ signal, log }) => {
            begun.push("listens");
            cancel.abort(canceled);
            await Promise.resolve();
            log.info(`ending for: ${(signal.reason as Error).message}`);
          },
        },
        { name: "next", run: async () => void begun.push("next") },
      ],
    },
    { signals },
  );
  expect(begun).toEqual(["listens"]);
  const said = ran.messages.indexOf("ending for: The job was canceled");
  const end = ran.messages.findIndex((text) => text.startsWith("end: 1.1 listens"));
  expect(said).toBeGreaterThan(0);
  expect(said).toBeLessThan(end);
});

test("a second cancel doesn't wait for cleaning up, but it is begun", async () => {
  const { cancel, again, signals } = stoppable();
  const begun: string[] = [];
  const { outcome } = await run(
    {
      name: "block",
      run: async ({ defer }) => {
        defer(async () => {
          begun.push("release");
          await new Promise(() => {});
        });
        cancel.abort(canceled);
        again.abort(new JobFailure("Canceled", "The job was canceled again (too long to cancel)"));
      },
    },
    { signals, finalize: { name: "finalize", run: async () => void begun.push("finalize") } },
  );
  expect(begun).toEqual(["release"]);
  expect(outcome.error_msg).toBe("The job was canceled again (too long to cancel)");
});

test("finalize that hangs ends by its own time-out, and is only told", async () => {
  const job = aJobContext({
    timeouts: { job: { minutes: 1 }, actions: { finalize: { seconds: 1 } } },
  });
  const { outcome, messages } = await run(
    { name: "block" },
    { job, finalize: { name: "finalize", run: () => new Promise(() => {}) } },
  );
  expect(outcome.result).toBe("pass");
  expect(messages).toContain("finalize: finalize timed out after 1 seconds");
});

test("a value that is put by a parent's own work is there for its steps", async () => {
  const value = slot<string>("value");
  const { outcome } = await run({
    name: "block",
    gives: [value],
    run: async ({ slots }) => slots.put(value, "x"),
    steps: [{ name: "takes", needs: [value], run: async ({ slots }) => void slots.take(value) }],
  });
  expect(outcome.result).toBe("pass");
});
