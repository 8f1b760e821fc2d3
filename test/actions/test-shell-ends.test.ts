import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { LogRecord } from "#protocol/log-record.ts";
import type { RunnerResult } from "../../worker/host/runner-result.ts";
import { runTicket } from "../../worker/run-ticket.ts";
import { guestDevice, standInGuest } from "../support/stand-in-guest.ts";

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(path.join(tmpdir(), "pumice-ends-"));
  writeFileSync(path.join(dir, "kernel"), "a kernel");
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

interface Ran {
  result: RunnerResult;
  records: LogRecord[];
  messages: string[];
  results: Record<string, unknown>[];
}

const definition = (name: string): string => `
    - name: ${name}
      from: inline
      path: ${name}.yaml
      repository:
        metadata: {format: Lava-Test Test Definition 1.0, name: ${name}}
        run: {steps: ["true"]}`;
const deploy = (namespace = ""): string => `
- deploy:
    to: tmpfs${namespace}
    images:
      kernel: {url: ${JSON.stringify(`file://${path.join(dir, "kernel")}`)}, image_arg: "-kernel {kernel}"}
- boot:
    method: qemu${namespace}
    prompts: ["dut# "]`;

let runs = 0;
async function runJob(actions: string, guest: string): Promise<Ran> {
  const folder = path.join(dir, String(++runs));
  mkdirSync(folder);
  const records: LogRecord[] = [];
  const never = new AbortController().signal;
  const result = await runTicket(
    {
      job_id: 7,
      token: "job-token",
      definition: `job_name: demo
visibility: public
context: {arch: amd64}
timeouts: {job: {minutes: 1}, action: {seconds: 30}, connection: {seconds: 20}}
actions:${actions}
`,
      device: guestDevice(standInGuest(folder, guest)),
      device_hostname: "dut-1",
      device_type: "qemu",
      dispatcher: "",
      env_dut: "",
    },
    {
      scratch: path.join(folder, "scratch"),
      sink: (_line, record) => void records.push(record),
      signals: { cancel: never, cancelAgain: never },
    },
  );
  return {
    result,
    records,
    messages: records.filter(({ lvl }) => lvl !== "results").map(({ msg }) => String(msg)),
    results: records
      .filter(({ lvl }) => lvl === "results")
      .map(({ msg }) => msg as Record<string, unknown>),
  };
}

const boots = (tests: string): string => `run_tests() { ${tests}
}
echo 'Linux version 6.1'; shell`;
const startRun = "echo '<LAVA_SIGNAL_STARTRUN 0_demo 7_1.1.2.1>'";

describe("a test that takes too long", () => {
  const hangs = boots(`${startRun}; echo '<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=a RESULT=pass>'
    echo computing; cat`);

  test("fails the job as the test's fault: what came stands, the open run has failed", async () => {
    const ran = await runJob(
      `${deploy()}\n- test:\n    timeout: {seconds: 3}\n    definitions:${definition("demo")}`,
      hangs,
    );
    expect(ran.result).toMatchObject({
      error_type: "Test",
      error_msg: "lava-test-shell timed out after 3 seconds",
    });
    expect(ran.results.find((one) => one["case"] === "a")).toMatchObject({ result: "pass" });
    const open = ran.results.findIndex((one) => one["case"] === "0_demo");
    expect(ran.results[open]).toMatchObject({ definition: "lava", result: "fail" });
    expect(ran.results[open]).toHaveProperty("duration");
    // The run belongs to the action: its record comes before the action's own.
    const shell = ran.results.findIndex((one) => one["case"] === "lava-test-shell");
    expect(open).toBeLessThan(shell);
    expect(ran.messages.join("\n")).toMatch(/waited in vain: .*what came last: .*computing/);
  });

  test("fails its block only where the job says skip, and is not tried again", async () => {
    const ran = await runJob(
      `${deploy()}
- test:
    timeout: {seconds: 3, skip: true}
    failure_retry: 1
    definitions:${definition("demo")}
- test:
    timeout: {seconds: 10}
    definitions:${definition("more")}`,
      boots(
        `if [ -e "$0.ran" ]; then echo '<LAVA_SIGNAL_STARTRUN 1_more 7_x>'; echo '<LAVA_SIGNAL_ENDRUN 1_more 7_x>'
        else : >"$0.ran"; ${startRun}; read -r line; fi`,
      ),
    );
    expect(ran.messages).toContain(
      "skip_timeout is set for lava-test-retry - continuing to next action block.",
    );
    const failed = ran.results.filter((one) => one["result"] === "fail").map((one) => one["case"]);
    expect(failed).toEqual(["0_demo", "lava-test-shell", "lava-test-retry"]);
    expect(ran.results.find((one) => one["case"] === "1_more")).toMatchObject({ result: "pass" });
    expect(ran.result.result).toBe("pass");
  });
});

test("an environment that the DUT can't read is the job's fault", async () => {
  const guest = `shell() { prompt; while read -r line; do
    case "$line" in *environment*) printf '<LAVA_SIGNAL_RETRUNCODE 2>\\n' ;; esac; prompt; done; }
    echo 'Linux version 6.1'; shell`;
  const ran = await runJob(`${deploy()}\n- test:\n    definitions:${definition("demo")}`, guest);
  expect(ran.result).toMatchObject({
    error_type: "Job",
    error_msg: "'. /lava-7/environment' failed with return code 2!",
  });
});

test("signals through the kernel's log and behind a prompt-like word count, a trace does not", async () => {
  const ran = await runJob(
    `${deploy()}\n- test:\n    definitions:${definition("demo")}`,
    boots(`${startRun}
    echo '[   12.345678] <LAVA_SIGNAL_TESTCASE TEST_CASE_ID=kmsg RESULT=pass>'
    echo '+ <LAVA_SIGNAL_TESTCASE TEST_CASE_ID=plus RESULT=pass>'
    echo '+ echo <LAVA_SIGNAL_TESTCASE TEST_CASE_ID=trace RESULT=pass>'
    echo '++ printf %s <LAVA_SIGNAL_TESTCASE TEST_CASE_ID=nested RESULT=pass>'
    echo '<LAVA_SIGNAL_ENDRUN 0_demo 7_1.1.2.1>'`),
  );
  expect(
    ran.results.filter((one) => one["definition"] === "0_demo").map((one) => one["case"]),
  ).toEqual(["kmsg", "plus"]);
});

test("what another DUT says while a test runs is feedback of its namespace", async () => {
  const ran = await runJob(
    `${deploy("\n    namespace: server")}${deploy("\n    namespace: client")}
- test:
    namespace: client
    definitions:${definition("demo")}`,
    // The first guest answers each newline that the second one writes into a file.
    `echo 'Linux version 6.1'
    if [ -e "$0.first" ]; then
      run_tests() { echo x >"$0.fifo"; read -r line <"$0.back"; ${startRun}; echo '<LAVA_SIGNAL_ENDRUN 0_demo 7_1.1.2.1>'; }
      shell
    else
      : >"$0.first"; mkfifo "$0.fifo" "$0.back"
      (read -r line <"$0.fifo"; echo 'request served'; echo x >"$0.back") &
      shell
    fi`,
  );
  expect(ran.result.result).toBe("pass");
  const said = ran.records.find(({ msg }) => String(msg).includes("request served"));
  expect(said).toMatchObject({ lvl: "feedback", ns: "server" });
  const booted = ran.records.filter(({ msg }) => msg === "Linux version 6.1");
  expect(booted.map(({ lvl }) => lvl)).toEqual(["target", "target"]);
});
