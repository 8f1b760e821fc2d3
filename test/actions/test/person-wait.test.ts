import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { TestBlock } from "#protocol/job-actions.ts";
import { interactiveTest } from "../../../worker/actions/test/interactive.ts";
import { jobDirectory } from "../../../worker/host/job-directory.ts";
import { openJobConsole } from "../../../worker/services/job-console.ts";
import { onConsole } from "../../support/on-console.ts";
import { aJobContext, run, type Ran } from "../../support/plan-of.ts";
import { until } from "../../support/real-lab.ts";

type Steps = NonNullable<TestBlock["interactive"]>[number]["script"];

/** A DUT that shows its prompt when it is asked, and says nothing before. */
const dut = `while read -r line; do
  printf '%s\\r\\n' "$line"
  case "$line" in
    bad) printf 'it is broken\\r\\n' ;;
    bye) exit ;;
  esac
  printf '=> '
done`;

let workDir: string;
beforeEach(() => {
  workDir = mkdtempSync(path.join(tmpdir(), "pumice-person-"));
  mkdirSync(jobDirectory(workDir, 7).root, { recursive: true });
});
afterEach(() => rmSync(workDir, { recursive: true, force: true }));

function waiting(script: Steps, seconds = 30): Promise<Ran> {
  const timeouts = {
    ...{ job: { minutes: 1 }, action: { seconds }, connection: { seconds: 20 } },
  };
  const job = { ...aJobContext({ timeouts }), consoleSocket: jobDirectory(workDir, 7).console };
  const interactive = [{ name: "by-hand", prompts: ["=> "], script }];
  const context = { job, namespace: "common", overlayTests: [], hasShell: false, stage: 0 };
  return run(onConsole({ script: dut }, [interactiveTest.action({ interactive }, context)]), {
    job,
  });
}

async function person(holder = "ada") {
  let visit: Awaited<ReturnType<typeof openJobConsole>> | undefined;
  await until(async () => {
    visit = await openJobConsole(workDir, { jobId: 7, holder }).catch(() => undefined);
    return visit !== undefined;
  });
  if (!visit) throw new Error("no console");
  let all = "";
  let why: string | undefined;
  visit.transport.onData((bytes) => (all += Buffer.from(bytes).toString()));
  visit.transport.onEnd((reason) => (why = reason));
  return {
    ...visit,
    type: (text: string) => visit?.transport.write(Buffer.from(text)),
    said: (text: string) => until(() => all.includes(text)),
    ended: async () => {
      await until(() => why !== undefined);
      return why;
    },
  };
}
const cases = (ran: Ran) => ran.results.filter(({ definition }) => definition === "0_by-hand");

test("a step that types nothing lets a person type; their prompt ends nothing; the job goes on when they say so", async () => {
  const ran = waiting([
    { command: null, name: "person" },
    { command: "after", name: "after" },
  ]);
  const ada = await person();
  await ada.type("hello\n");
  await ada.said("hello\r\n=> ");
  await ada.type("again\n");
  await ada.said("again\r\n=> ");
  await ada.goOn?.();
  expect(await ada.ended()).toBe("the job goes on");
  const { messages, ...done } = await ran;
  expect(cases({ messages, ...done })).toMatchObject([
    { case: "person", result: "pass" },
    { case: "after", result: "pass" },
  ]);
  expect(messages).toContain("waiting; a person may take the console: pumice console --job 7");
  expect(messages).toContain("ada has the console");
  // The job's log has what the DUT said.
  expect(messages.some((line) => line.includes("again"))).toBe(true);
});

test("what came while a person had the console is judged when they let the job go on", async () => {
  const failures = [{ message: "broken" }];
  const ran = waiting([{ command: null, name: "person", failures }]);
  const ada = await person();
  await ada.type("bad\n");
  await ada.said("it is broken");
  await ada.goOn?.();
  expect(cases(await ran)).toMatchObject([{ case: "person", result: "fail" }]);
  const wanted = waiting([{ command: null, name: "person", successes: [{ message: "flashed" }] }]);
  await (await person()).goOn?.();
  expect(cases(await wanted)).toMatchObject([{ case: "person", result: "fail" }]);
});

test("a person who leaves lets the job wait on, for another one; an agent that was killed comes back to the same visit", async () => {
  const ran = waiting([{ command: null, name: "person" }]);
  const ada = await person();
  await ada.type("one\n");
  await ada.said("=> ");
  await ada.leave?.();
  await ada.transport.close();
  const bob = await person("bob");
  await bob.type("two\n");
  await bob.said("two\r\n=> ");
  // Without a word, as a killed agent.
  await bob.transport.close();
  const back = await person("bob");
  await back.type("three\n");
  await back.said("three\r\n=> ");
  await back.goOn?.();
  const { messages } = await ran;
  expect(messages.filter((line) => line.endsWith("has the console"))).toEqual([
    "ada has the console",
    "bob has the console",
  ]);
  expect(messages).toContain("waiting again: the console was left");
});

test("the action's time ends the wait of a person too; so does the end of the connection", async () => {
  const slow = waiting([{ command: null, name: "person" }], 1);
  const ada = await person();
  expect(await ada.ended()).toBe("the job goes on");
  expect((await slow).outcome).toMatchObject({ result: "fail", error_type: "Test" });
  const cut = waiting([{ command: null, name: "person" }]);
  const bob = await person("bob");
  await bob.type("bye\n");
  await bob.ended();
  expect((await cut).outcome).toMatchObject({ error_type: "Infrastructure" });
});

test("without a person the step waits as ever, and nobody finds its console afterwards", async () => {
  const ran = await waiting(
    [
      { command: "x", name: "x" },
      { command: null, name: "none" },
    ],
    1,
  );
  expect(ran.outcome).toMatchObject({ result: "fail", error_type: "Test" });
  await expect(openJobConsole(workDir, { jobId: 7, holder: "ada" })).rejects.toThrow(
    "job 7 waits for nobody now",
  );
});

test("a folder whose name has no room in a socket's address is no hindrance", async () => {
  workDir = path.join(workDir, "x".repeat(120));
  mkdirSync(jobDirectory(workDir, 7).root, { recursive: true });
  const ran = waiting([{ command: null, name: "person" }]);
  const ada = await person();
  await ada.goOn?.();
  expect(cases(await ran)).toMatchObject([{ case: "person", result: "pass" }]);
});
