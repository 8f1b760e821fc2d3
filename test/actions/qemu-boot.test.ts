import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { LogRecord } from "#protocol/log-record.ts";
import { identityOf } from "../../worker/host/process-table.ts";
import type { RunnerResult } from "../../worker/host/runner-result.ts";
import { JobFailure } from "../../worker/pipeline/job-failure.ts";
import { runTicket } from "../../worker/run-ticket.ts";
import { guestDevice, guestJob, standInGuest } from "../support/stand-in-guest.ts";

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(path.join(tmpdir(), "pumice-boot-"));
  writeFileSync(path.join(dir, "kernel"), "a kernel");
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

interface Ran {
  result: RunnerResult;
  messages: string[];
  results: Record<string, unknown>[];
  /** What was typed on the console. */
  input: string[];
}

interface Options {
  withTest?: boolean;
  /** Lines for the boot block, with their indentation. */
  boot?: string;
  timeouts?: string;
  onRecord?: (record: LogRecord, cancel: AbortController) => void;
  envDut?: string;
}

let runs = 0;
async function boot(script: string, options: Options = {}): Promise<Ran> {
  const folder = path.join(dir, String(++runs));
  mkdirSync(folder);
  const records: LogRecord[] = [];
  const cancel = new AbortController();
  const result = await runTicket(
    {
      job_id: 7,
      token: "job-token",
      definition: guestJob(path.join(dir, "kernel"), options),
      device: guestDevice(standInGuest(folder, script)),
      device_hostname: "dut-1",
      device_type: "qemu",
      dispatcher: "",
      env_dut: options.envDut ?? "",
    },
    {
      scratch: path.join(folder, "scratch"),
      sink: (_line, record) => {
        records.push(record);
        options.onRecord?.(record, cancel);
      },
      signals: { cancel: cancel.signal, cancelAgain: new AbortController().signal },
    },
  );
  const of = (level: string) => records.filter(({ lvl }) => lvl === level).map(({ msg }) => msg);
  return {
    result,
    messages: records.filter(({ lvl }) => lvl !== "results").map(({ msg }) => String(msg)),
    results: of("results") as Record<string, unknown>[],
    input: of("input").map(String),
  };
}

const caseOf = ({ results }: Ran, name: string) => results.filter((one) => one["case"] === name);
const banner = "echo 'Linux version 6.1'";

describe("booting a guest", () => {
  test("to its prompt is a job that passes, with its command in the log and its guest gone", async () => {
    const ran = await boot(`echo "pid $$"; ${banner}; shell`);
    expect(ran.result).toMatchObject({ result: "pass" });
    expect(caseOf(ran, "execute-qemu")[0]?.["extra"]).toMatchObject({
      qemu_version: "9.9.9",
      job_arch: "amd64",
    });
    expect(caseOf(ran, "login-action")[0]).toMatchObject({ result: "pass", level: "2.2.1" });
    expect(caseOf(ran, "kernel-messages")[0]).toMatchObject({ result: "pass", level: "2.2.1" });
    const pid = ran.messages.find((text) => /^pid \d+$/.test(text))?.slice(4);
    expect(identityOf(Number(pid))).toBeUndefined();
    const call = ran.messages.find((text) => text.startsWith("Calling: ")) ?? "";
    expect(call).toContain('"-nographic","-kernel","');
    expect(ran.results.at(-1)).toEqual({ definition: "lava", case: "job", result: "pass" });
  });

  test("runs the test shell behind the prompt", async () => {
    const ran = await boot(`${banner}; shell`, { withTest: true, envDut: "overrides: {LAB: a b}" });
    expect(ran.result.result).toBe("pass");
    expect(caseOf(ran, "alive")[0]).toMatchObject({ definition: "0_demo", result: "pass" });
    expect(ran.input).toEqual([
      "",
      `echo 'export LAB='\\''a b'\\''' >> ~/.bashrc`,
      ". ~/.bashrc",
      ...ran.input.filter((line) => /^(mkdir|mount|ls|for|if) /.test(line)),
      'export SHELL=/bin/sh ; . /lava-7/environment ; lava_code=$? ; printf "<LAVA_SIGNAL_RETRUNCODE $lava_code>\\n"',
      "/lava-7/bin/lava-test-runner /lava-7/0",
    ]);
  });

  test("whose kernel prints no banner goes on at the prompt, and says what came instead", async () => {
    const ran = await boot("shell");
    expect(ran.result.result).toBe("pass");
    expect(ran.messages.join("\n")).toMatch(
      /awaited as "Linux version" and did not show; "dut# " came instead/,
    );
  });

  test("that ends at once is the lab's fault, with the guest's own last words", async () => {
    const ran = await boot("echo 'guest: -machine nonsense: unsupported' >&2; exit 1");
    expect(ran.result).toMatchObject({ result: "fail", error_type: "Infrastructure" });
    expect(ran.result.error_msg).toMatch(
      /^Connection closed: .*exit code 1.*-machine nonsense: unsupported/,
    );
  });

  test("is tried again when the job says so, with a guest anew", async () => {
    const marker = path.join(dir, "tried");
    const ran = await boot(
      `if [ -e '${marker}' ]; then ${banner}; shell; else : >'${marker}'; exit 1; fi`,
      { boot: "    failure_retry: 2" },
    );
    expect(ran.result.result).toBe("pass");
    expect(ran.messages.some((text) => text.startsWith("boot-image-retry failed: 1 of 2"))).toBe(
      true,
    );
  });

  test("that is canceled takes the guest along, and the job is Canceled", async () => {
    let pid = 0;
    const ran = await boot(`echo "pid $$"; ${banner}; exec cat`, {
      onRecord: ({ msg }, cancel) => {
        pid ||= Number(/^pid (\d+)$/.exec(String(msg))?.[1] ?? 0);
        if (/^start: 2.2.1 login-action/.test(String(msg))) {
          cancel.abort(new JobFailure("Canceled", "The job was canceled"));
        }
      },
    });
    expect(ran.result).toMatchObject({ error_type: "Canceled", error_msg: "The job was canceled" });
    expect(pid).toBeGreaterThan(0);
    expect(identityOf(pid)).toBeUndefined();
    expect(ran.messages.some((text) => /^end: \S+ power-off /.test(text))).toBe(true);
  });

  test("in a container whose image has no safe name is refused before anything runs", async () => {
    const ran = await boot("exit 1", { boot: "    docker: {image: x}" });
    expect(ran.result.error_msg).toContain("docker image name 'x'");
    expect(ran.messages.some((text) => text.startsWith("start: 1 "))).toBe(false);
  });
});

describe("logging in", () => {
  const login = `    auto_login:
      login_prompt: "login: "
      username: root
      password_prompt: "Password: "
      password: secret
      login_commands: ["stty -echo"]`;
  const getty = `${banner}
    printf 'dut login: '; read -r name
    printf 'Password: '; read -r password`;

  test("types name, password and the commands behind them", async () => {
    const ran = await boot(`${getty}; [ "$name$password" = rootsecret ] && shell`, { boot: login });
    expect(ran.result).toMatchObject({ result: "pass" });
    expect(ran.input).toEqual(["root", "secret", "stty -echo"]);
  });

  test("that the DUT refuses is the job's fault", async () => {
    const ran = await boot(`${getty}; echo 'Login incorrect'; cat`, { boot: login });
    expect(ran.result).toMatchObject({ error_type: "Job", error_msg: "Login incorrect" });
  });

  test("types a # when the prompt was lost", async () => {
    const ran = await boot(`${banner}; read -r line; shell`, {
      timeouts: "  actions: {login-action: {seconds: 4}}",
    });
    expect(ran.result.result).toBe("pass");
    expect(ran.input[0]).toBe("#");
  });

  test("in vain says what was awaited and what came", async () => {
    const ran = await boot(`${banner}; echo 'nothing of use'; exec cat`, {
      timeouts: "  actions: {login-action: {seconds: 2}}",
    });
    expect(ran.result).toMatchObject({ error_type: "Job" });
    expect(ran.result.error_msg).toMatch(
      /^wait for prompt timed out after 2 s: awaited \/dut# \/; what came last: ".*#"$/s,
    );
  });
});

describe("a kernel in trouble", () => {
  const trace =
    "printf -- '------------[ cut here ]------------\\r\\nWARNING: CPU: 0\\r\\n---[ end trace 0 ]---\\r\\n'";

  test("that goes on is recorded, and fails nothing", async () => {
    const ran = await boot(`${banner}; ${trace}; shell`);
    expect(ran.result.result).toBe("pass");
    const [record] = caseOf(ran, "kernel-messages");
    expect(record).toMatchObject({
      result: "pass",
      extra: { extra: [{ kind: "warning", message: expect.stringContaining("cut here") }] },
    });
    expect(caseOf(ran, "login-action")[0]?.["extra"]).toHaveProperty("extra");
  });

  test("has our report of it beside LAVA's, with its place in the log", async () => {
    const ran = await boot(`${banner}; ${trace}; shell`);
    expect(caseOf(ran, "kernel-messages")[0]?.["extra"]).toMatchObject({
      extra: [{ kind: "warning" }],
      reports: [{ kind: "unknown", first_line: expect.any(Number) as number }],
    });
  });

  test("during tests is recorded at their end, and only then", async () => {
    const speak = (what: string) => `run_tests() {
      echo '<LAVA_SIGNAL_STARTRUN 0_demo 7_1.1.2.1>'
      ${what}
      echo '<LAVA_SIGNAL_ENDRUN 0_demo 7_1.1.2.1>'
    }`;
    const leak = "echo '[    9.100000] kmemleak: 1 new suspected memory leaks (see it)'";
    const ran = await boot(`${banner}; ${speak(leak)}; shell`, { withTest: true });
    expect(ran.result.result).toBe("pass");
    const [atLogin, atEnd] = caseOf(ran, "kernel-messages");
    expect(atLogin?.["extra"]).toEqual({ extra: [] });
    expect(atEnd).toMatchObject({ result: "pass", extra: { extra: [{ kind: "kmemleak" }] } });

    const ignored = await boot(`${banner}; ${speak(leak)}; shell`, {
      withTest: true,
      boot: "    ignore_kernel_messages: true",
    });
    expect(caseOf(ignored, "kernel-messages")).toEqual([]);
  });

  test("that panics during tests and whose console closes is the job's fault, not the lab's", async () => {
    const panic = `run_tests() {
      echo '<LAVA_SIGNAL_STARTRUN 0_demo 7_1.1.2.1>'
      echo '[    9.100000] Kernel panic - not syncing: on purpose'
      exit 1
    }`;
    const ran = await boot(`${banner}; ${panic}; shell`, { withTest: true });
    expect(ran.result, ran.messages.join("\n")).toMatchObject({
      result: "fail",
      error_type: "Job",
    });
    expect(ran.result.error_msg).toMatch(
      /^Kernel panic - not syncing: on purpose \(then: Connection closed: /,
    );
    expect(ran.result.evidence?.line).toBeGreaterThan(0);
    expect(caseOf(ran, "kernel-messages")[1]).toMatchObject({
      result: "fail",
      extra: { extra: [{ kind: "panic", cut: true }] },
    });
  });

  test("that panics ends the job as its fault, with the kernel's words", async () => {
    const panic =
      "printf '[    1.2] Kernel panic - not syncing: VFS: no root\\r\\n[    1.3] ---[ end Kernel panic - not syncing: VFS: no root ]---\\r\\n'";
    const ran = await boot(`${banner}; ${panic}; exec cat`);
    expect(ran.result.error_type).toBe("Job");
    expect(ran.result.error_msg).toMatch(/^\[ {4}1\.2\] Kernel panic - not syncing: VFS: no root/);
    expect(caseOf(ran, "kernel-messages")[0]).toMatchObject({ result: "fail" });
  });

  test("that panics without its banner and its last line is not waited for", async () => {
    const ran = await boot("printf 'Kernel panic - not syncing: no init\\r\\n'");
    expect(ran.result).toMatchObject({
      error_type: "Job",
      error_msg: "Kernel panic - not syncing: no init",
    });
  });

  test("is not looked at where the job says so", async () => {
    const ran = await boot(`${banner}; echo 'Kernel panic - not syncing'; shell`, {
      boot: "    ignore_kernel_messages: true",
    });
    expect(ran.result.result).toBe("pass");
    expect(caseOf(ran, "kernel-messages")).toEqual([]);
  });

  test("in the job's own words for failure ends the job", async () => {
    const ran = await boot(`${banner}; echo 'mount: out of cheese'; exec cat`, {
      boot: "    failure_message: out of \\w+",
    });
    expect(ran.result).toMatchObject({
      error_type: "Job",
      error_msg: "Matched job-specific failure message: 'out of cheese'",
    });
  });
});
