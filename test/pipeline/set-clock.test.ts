import { afterEach, expect, test, vi } from "vitest";
import { Console } from "../../worker/console/console.ts";
import type { Action } from "../../worker/pipeline/action.ts";
import { JobFailure } from "../../worker/pipeline/job-failure.ts";
import { aJobContext, run } from "../support/plan-of.ts";

const YEARS_MS = 40 * 365 * 24 * 3600_000;
const realNow = Date.now;
const setClock = (offMs: number): void => {
  vi.spyOn(Date, "now").mockImplementation(() => realNow() + offMs);
};
afterEach(() => vi.restoreAllMocks());

/** A DUT that says something only when it is told to. */
function dut() {
  let say: (bytes: Uint8Array) => void = () => {};
  const console = new Console(
    {
      onData: (listener) => void (say = listener),
      onEnd: () => {},
      write: async () => {},
      close: async () => {},
    },
    { log: () => 0 },
  );
  return { console, say: (text: string) => say(Buffer.from(text)) };
}

test.each([YEARS_MS, -YEARS_MS])(
  "a clock that jumps by %i ms in the middle of a job ends no action, no wait and no retries",
  async (jump) => {
    const { console, say } = dut();
    let tries = 0;
    const retried = { boot: { method: "qemu", failure_retry: 2, failure_retry_interval: 0 } };
    const block: Action = {
      name: "block",
      retries: true,
      steps: [
        {
          name: "first",
          run: async () => {
            setClock(jump);
            if (++tries === 1) throw new JobFailure("Infrastructure", "once more");
          },
        },
        {
          name: "second",
          run: async ({ signal }) => {
            const wait = { timeoutSeconds: 20, signal };
            const found = console.expect({ prompt: /\n# $/g }, wait);
            setClock(0);
            say("hello\n");
            setClock(-jump);
            say("# ");
            await found;
          },
        },
      ],
    };
    const job = aJobContext({ actions: [retried] });
    const { outcome, messages } = await run(block, { job });
    expect(outcome.result).toBe("pass");
    expect(tries).toBe(2);
    const ends = messages.filter((text) => text.startsWith("end: "));
    expect(ends.length).toBeGreaterThan(2);
    for (const text of ends) expect(text).toMatch(/\(duration 00:00:0\d\)/);
  },
);
