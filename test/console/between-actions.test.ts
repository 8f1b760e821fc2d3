import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, expect, test } from "vitest";
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
