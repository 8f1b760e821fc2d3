import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, expect, test } from "vitest";
import { openConsole } from "../../worker/actions/connection/open-console.ts";
import { processTransport } from "../../worker/drivers/process-transport.ts";
import type { RunContext } from "../../worker/pipeline/action.ts";
import { consoleSlot } from "../../worker/pipeline/job-slots.ts";
import { onConsole } from "../support/on-console.ts";
import { run } from "../support/plan-of.ts";

const dir = mkdtempSync(path.join(tmpdir(), "pumice-between-"));
afterAll(() => rmSync(dir, { recursive: true }));

test("what a DUT says while the runner is busy with something else is in the log, all of it and in order", async () => {
  const done = path.join(dir, "done");
  const script = `i=0; while [ $i -lt 20000 ]; do echo "line $i"; i=$((i+1)); done; touch '${done}'; exec cat`;
  const ran = await run(
    onConsole({ script }, [
      {
        name: "busy-elsewhere",
        // As a download, which never looks at the console.
        run: async () => {
          while (!existsSync(done)) await new Promise((resolve) => setImmediate(resolve));
        },
      },
      {
        name: "looks-again",
        run: async ({ slots, signal }) => {
          await slots
            .take(consoleSlot)
            .expect({ last: /line 19999/g }, { timeoutSeconds: 20, signal });
        },
      },
    ]),
  );
  expect(ran.outcome).toEqual({ result: "pass" });
  const said = ran.records.filter(({ lvl }) => lvl === "target").map(({ msg }) => msg);
  expect(said).toEqual(Array.from({ length: 20_000 }, (_, n) => `line ${n}`));
});

test("what the DUT says while a test runs beside it is feedback", async () => {
  const say = (words: string) => async (context: RunContext) => {
    const console = context.connection.take(consoleSlot);
    await console.sendLine(words);
    const { signal } = context;
    await console.expect({ said: new RegExp(`${words}\n`, "g") }, { timeoutSeconds: 20, signal });
  };
  const ran = await run({
    name: "block",
    steps: [
      {
        name: "open",
        gives: [consoleSlot],
        run: async (context) => void openConsole(context, await processTransport(["cat"])),
      },
      { name: "on-the-dut", run: say("before") },
      { name: "beside-it", activeNamespace: "docker-test-shell", run: say("meanwhile") },
      { name: "on-the-dut-again", run: say("after") },
    ],
  });
  expect(ran.outcome).toEqual({ result: "pass" });
  const said = ran.records.filter(({ lvl }) => lvl === "target" || lvl === "feedback");
  expect(said.map(({ lvl, msg, ns }) => [lvl, msg, ns])).toEqual([
    ["target", "before", undefined],
    ["feedback", "meanwhile", "common"],
    ["target", "after", undefined],
  ]);
});
