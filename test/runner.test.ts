import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { LogRecord } from "#protocol/log-record.ts";
import { jobDirectoryAt } from "../worker/host/job-directory.ts";
import { identityOf } from "../worker/host/process-table.ts";
import { guestDevice, guestJob, standInGuest } from "./support/stand-in-guest.ts";
import { workerProgram } from "./support/worker-program.ts";

let dir: string;
let program: Awaited<ReturnType<typeof workerProgram>>;
beforeAll(async () => {
  program = await workerProgram();
  dir = mkdtempSync(path.join(tmpdir(), "pumice-runner-"));
  writeFileSync(path.join(dir, "kernel"), "a kernel");
});
afterAll(() => {
  program.remove();
  rmSync(dir, { recursive: true, force: true });
});

const boots = "echo \"pid $$\"; echo 'Linux version 6.1'; shell";
const waits =
  "echo \"pid $$\"; echo 'Linux version 6.1'; trap '' TERM; while :; do read -r line; done";

let jobs = 0;
/** A job's folder with its ticket, as the agent makes it. */
function jobFolder(script: string, more: Record<string, unknown> = {}): string {
  const folder = path.join(dir, `job-${++jobs}`);
  mkdirSync(folder);
  const ticket = {
    job_id: 7,
    token: "job-token",
    definition: guestJob(path.join(dir, "kernel"), { withTest: true }),
    device: guestDevice(standInGuest(folder, script)),
    device_hostname: "dut-1",
    device_type: "qemu",
    dispatcher: "",
    env_dut: "",
    ...more,
  };
  writeFileSync(jobDirectoryAt(folder).ticket, JSON.stringify(ticket));
  return folder;
}

function start(args: string[], cwd = dir): ChildProcess {
  return spawn(process.execPath, [program.file, ...args], { cwd, stdio: "pipe", detached: true });
}

async function ended(child: ChildProcess): Promise<{ code: number | null; text: string }> {
  let text = "";
  child.stdout?.on("data", (data: Buffer) => (text += data.toString()));
  child.stderr?.on("data", (data: Buffer) => (text += data.toString()));
  const [code] = (await once(child, "close")) as [number | null];
  return { code, text };
}

const logOf = (folder: string): LogRecord[] =>
  readFileSync(jobDirectoryAt(folder).log, "utf8")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as LogRecord);
const resultOf = (folder: string): Record<string, unknown> =>
  JSON.parse(readFileSync(jobDirectoryAt(folder).result, "utf8")) as Record<string, unknown>;

/** Waits until a line is in the log, by looking: what an agent does as well. */
async function logged(folder: string, pattern: RegExp): Promise<string> {
  const { log } = jobDirectoryAt(folder);
  return expect
    .poll(() => (existsSync(log) ? readFileSync(log, "utf8") : ""), {
      timeout: 20_000,
      interval: 20,
    })
    .toMatch(pattern)
    .then(() => pattern.exec(readFileSync(log, "utf8"))?.[1] ?? "");
}

describe("the runner of one job", () => {
  test("leaves the whole log and the result, removes its own files, and exits by the result", async () => {
    const folder = jobFolder(boots);
    expect(await ended(start(["runner", folder]))).toEqual({ code: 0, text: "" });
    const log = logOf(folder);
    expect(resultOf(folder)).toEqual({ result: "pass", lines: log.length });
    expect(log.at(-1)?.msg).toEqual({ definition: "lava", case: "job", result: "pass" });
    expect(readdirSync(folder).sort()).toEqual([
      "beat",
      "log.jsonl",
      "result.json",
      "runner.json",
      "stand-in-guest",
      "ticket.json",
    ]);
    expect(await ended(start(["runner", folder]))).toEqual({ code: 0, text: "" });
    expect(logOf(folder)).toHaveLength(log.length);
  });

  test("gives its programs the environment that the lab says for the worker", async () => {
    const folder = jobFolder(`echo "colour: $LAB_COLOUR, $EDITOR"; ${boots}`, {
      env: "removes: [EDITOR]\noverrides: {LAB_COLOUR: blue}\n",
    });
    const child = spawn(process.execPath, [program.file, "runner", folder], {
      cwd: dir,
      stdio: "pipe",
      env: { ...process.env, EDITOR: "ed" },
    });
    expect(await ended(child)).toEqual({ code: 0, text: "" });
    expect(logOf(folder).map(({ msg }) => msg)).toContain("colour: blue, ");
  });

  test("ends a job whose worker's environment can't be read with a configuration error", async () => {
    const folder = jobFolder(boots, { env: "removes: LANG\n" });
    expect((await ended(start(["runner", folder]))).code).toBe(1);
    expect(resultOf(folder)).toMatchObject({
      error_type: "Configuration",
      error_msg: expect.stringContaining("env: 1:"),
    });
  });

  test("is canceled by SIGTERM: the guest is gone even when it won't listen, the log is whole", async () => {
    const folder = jobFolder(waits);
    const child = start(["runner", folder]);
    const pid = Number(await logged(folder, /"pid (\d+)"/));
    await logged(folder, /start: (2\.2\.1) login-action/);
    child.kill("SIGTERM");
    expect((await ended(child)).code).toBe(1);
    expect(identityOf(pid)).toBeUndefined();
    const log = logOf(folder);
    expect(resultOf(folder)).toEqual({
      result: "fail",
      error_type: "Canceled",
      error_msg: "The job was canceled",
      lines: log.length,
    });
    expect(log.at(-1)?.msg).toMatchObject({ case: "job", error_type: "Canceled" });
  });

  test("is given up on a second SIGTERM, and says so", async () => {
    const folder = jobFolder(waits);
    const child = start(["runner", folder]);
    const pid = Number(await logged(folder, /"pid (\d+)"/));
    await logged(folder, /start: (2\.2\.1) login-action/);
    child.kill("SIGTERM");
    await logged(folder, /start: \S+ (power-off)/);
    child.kill("SIGTERM");
    expect((await ended(child)).code).toBe(1);
    expect(resultOf(folder)["error_msg"]).toBe("The job was canceled again (too long to cancel)");
    if (identityOf(pid)) process.kill(pid, "SIGKILL");
  });

  test("has its guest in its own process group, so that it can be killed with it", async () => {
    const folder = jobFolder(waits);
    const child = start(["runner", folder]);
    const pid = Number(await logged(folder, /"pid (\d+)"/));
    const gone = ended(child);
    process.kill(-(child.pid ?? 0), "SIGKILL");
    await gone;
    await expect.poll(() => identityOf(pid), { timeout: 10_000 }).toBeUndefined();
  });

  test.each([
    ["a definition", { definition: "job_name: [" }, "Job"],
    ["a device", { device: "constants: 1" }, "Configuration"],
    ["settings", { dispatcher: "[1]" }, "Configuration"],
  ])("that can't read %s still ends with its records", async (_what, more, type) => {
    const folder = jobFolder(boots, more);
    expect((await ended(start(["runner", folder]))).code).toBe(1);
    expect(resultOf(folder)).toMatchObject({ result: "fail", error_type: type });
    expect(logOf(folder).at(-1)?.msg).toMatchObject({ case: "job", error_type: type });
  });

  test("whose folder is in the way ends as a Bug with its records", async () => {
    const folder = jobFolder(boots);
    writeFileSync(jobDirectoryAt(folder).scratch, "a file where a folder should be");
    expect((await ended(start(["runner", folder]))).code).toBe(1);
    expect(resultOf(folder)).toMatchObject({ result: "fail", error_type: "Bug" });
  });
});

describe("pumice-worker run", () => {
  function files(script: string): { job: string; device: string; folder: string } {
    const folder = path.join(dir, `run-${++jobs}`);
    mkdirSync(folder);
    const [job, device] = [path.join(folder, "job.yaml"), path.join(folder, "device.yaml")];
    writeFileSync(job, guestJob(path.join(dir, "kernel"), { withTest: true }));
    writeFileSync(device, guestDevice(standInGuest(folder, script)));
    return { job, device, folder };
  }

  test("shows the log and a table of results, and keeps both where it is told to", async () => {
    const { job, device, folder } = files(boots);
    const { code, text } = await ended(
      start(["run", job, "--device", device, "--output", "kept"], folder),
    );
    expect(code).toBe(0);
    expect(text).toMatch(/^\d\d:\d\d:\d\d\.\d{3} start: 0 validate$/m);
    expect(text).toMatch(/^0_demo +alive +pass$/m);
    expect(text).not.toContain("\u001b");
    expect(readdirSync(path.join(folder, "kept")).sort()).toEqual([
      "log.jsonl",
      "result.json",
      "results.json",
    ]);
    const results = JSON.parse(
      readFileSync(path.join(folder, "kept/results.json"), "utf8"),
    ) as unknown[];
    expect(results).toContainEqual(expect.objectContaining({ case: "alive", result: "pass" }));
  });

  test("exits 1 when the job did not pass", async () => {
    const { job, device } = files("exit 3");
    const { code, text } = await ended(start(["run", job, "--device", device]));
    expect(code).toBe(1);
    expect(text).toContain("InfrastructureError: Connection closed");
  });

  test("exits 2 for files that are wrong or missing, with the place", async () => {
    const { job, device, folder } = files(boots);
    const wrong = path.join(folder, "wrong.yaml");
    writeFileSync(wrong, "job_name: x\ntimeouts: {job: {minuts: 5}}\n");
    const refused = await ended(start(["run", wrong, "--device", device]));
    expect(refused.code).toBe(2);
    expect(refused.text).toMatch(/wrong\.yaml:2:\d+: timeouts\.job/);
    expect((await ended(start(["run", job, "--device", wrong]))).code).toBe(2);
    expect((await ended(start(["run", "missing.yaml", "--device", device]))).text).toMatch(
      /^missing\.yaml: /m,
    );
    expect((await ended(start(["run", job]))).code).toBe(2);
  });
});
