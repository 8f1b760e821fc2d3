import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { FinishRequest } from "#protocol/worker-api.ts";
import { aJob, aResult } from "../support/builders.ts";
import { runningJob } from "../support/browser-session.ts";
import { cli, startCli } from "../support/cli-run.ts";
import { listeningLab } from "../support/listening-lab.ts";

let lab: Awaited<ReturnType<typeof listeningLab>>;
let worker: string;
let dir: string;
const env = () => ({ PUMICE_URL: lab.url, PUMICE_TOKEN: lab.adminToken });
const pumice = (...args: string[]) => cli(args, env());
const start = (...args: string[]) => startCli(args, env());

beforeEach(async () => {
  lab = await listeningLab();
  worker = await lab.addWorker();
  await lab.addDevice("qemu-01");
  dir = mkdtempSync(path.join(tmpdir(), "pumice-cli-"));
});
afterEach(async () => {
  await lab.close();
  rmSync(dir, { recursive: true, force: true });
});

const jobFile = (text = aJob()): string => {
  const file = path.join(dir, "job.yaml");
  writeFileSync(file, text);
  return file;
};
const at = "2026-03-01T12:30:01.250000+00:00";
const line = (lvl: string, msg: unknown, rest = {}) => ({ dt: at, lvl, msg, ...rest });
const log = [
  line("info", "start: 1 tmpfs-deploy"),
  line("target", "\u001b[1mLinux version\u001b[0m 6.1\u0007"),
  line("results", aResult({ case: "boots", measurement: 12.5, units: "seconds" })),
  line("results", aResult({ case: "reads", result: "fail" })),
  line("feedback", "hello", { ns: "other" }),
];

/** Has the worker take the job that waits, and say all this. */
async function runJob(
  finish: Partial<FinishRequest> = {},
  records: object[] = log,
): Promise<number> {
  const { start: tickets } = await lab.sync(worker);
  const { job_id: id, token } = tickets[0]!;
  await lab.sync(worker, [{ job_id: id, state: "running" }]);
  await lab.ship(id, token, 0, records);
  await lab.finish(id, token, { result: "pass", lines: records.length, ...finish });
  await lab.sync(worker);
  return id;
}
async function finishedJob(): Promise<number> {
  await lab.sync(worker);
  await lab.submit();
  return runJob();
}

describe("submit", () => {
  test("prints the job's number and its page", async () => {
    const { code, out, said } = await pumice("submit", jobFile());
    expect({ code, out, said }).toEqual({
      code: 0,
      out: `Submitted job 1: ${lab.url}/jobs/1\n`,
      said: "",
    });
    expect(await pumice("definition", "1")).toMatchObject({ code: 0, out: aJob() });
  });

  test("--json prints what the control plane answers", async () => {
    const { out } = await pumice("submit", "--json", jobFile());
    expect(JSON.parse(out)).toEqual({ job_ids: [1], warnings: [] });
  });

  test("says what is wrong with a job as compilers do, and exits 2", async () => {
    const file = jobFile(aJob().replace("to: tmpfs", "to: tftp").replace("amd64", "arm64"));
    const { code, out, said } = await pumice("submit", file);
    expect(code).toBe(2);
    expect(out).toBe("");
    expect(said).toContain(`${file}:4:11: context.arch: the device has no architecture "arm64"`);
    expect(said).toContain(`${file}:10:5: actions[0].deploy.to: the device has no `);
  });

  test("tells what is odd about a job that it accepts", async () => {
    const file = jobFile(aJob({ lines: ["priority: low", "priority: high"] }));
    const { code, said } = await pumice("submit", file);
    expect(code).toBe(0);
    expect(said).toContain(`${file}: warning: `);
  });

  test("of a file that is not there exits 2", async () => {
    const { code, said } = await pumice("submit", path.join(dir, "none.yaml"));
    expect(code).toBe(2);
    expect(said).toContain("there is no file or folder");
  });
});

describe("submit --watch", () => {
  test("says what the job waits for, follows its log, prints results, and exits 0 when Complete", async () => {
    const watching = start("submit", "--watch", jobFile());
    await watching.shows("Job 1 is Submitted: of 1 fitting device");
    expect(watching.said).toContain("1 on worker bench, which is Offline");
    await lab.sync(worker);
    await runJob();
    expect(await watching.ended).toBe(0);
    expect(watching.out.split("\n").slice(1)).toEqual([
      "12:30:01.250 start: 1 tmpfs-deploy",
      "12:30:01.250 Linux version 6.1",
      "12:30:01.250 [pass] 0_smoke/boots 12.5 seconds",
      "12:30:01.250 [fail] 0_smoke/reads",
      "12:30:01.250 <other> hello",
      "",
      "SUITE    CASE   RESULT  MEASUREMENT",
      "0_smoke  boots  pass    12.5 seconds",
      "0_smoke  reads  fail",
      "",
      "",
    ]);
    expect(watching.said).toContain("Job 1 is Complete");
  });

  test("exits 1 and says why when the job is Incomplete", async () => {
    await lab.sync(worker);
    const watching = start("submit", "--watch", jobFile());
    await watching.shows("Submitted job 1");
    await lab.settled();
    const error_msg = "no prompt \u001b[2Jin 30 s";
    await runJob({ result: "fail", error_type: "Infrastructure", error_msg });
    expect(await watching.ended).toBe(1);
    expect(watching.said).toContain("Job 1 is Incomplete: Infrastructure: no prompt in 30 s");
  });

  test("exits 3 when the job is canceled", async () => {
    const watching = start("submit", "--watch", jobFile());
    await watching.shows("Job 1 is Submitted");
    expect((await pumice("cancel", "1")).said).toBe("Job 1 is Finished, Canceled\n");
    expect(await watching.ended).toBe(3);
    expect(watching.said).toContain("Job 1 is Canceled");
  });

  test("exits 2 when the job is refused", async () => {
    expect((await pumice("submit", "--watch", jobFile("a: 1\n"))).code).toBe(2);
  });

  test("stops at Ctrl-C, and the job goes on", async () => {
    const watching = start("submit", "--watch", jobFile());
    await watching.shows("Job 1 is Submitted");
    watching.interrupt();
    expect(await watching.ended).toBe(130);
    expect(watching.said).toContain("job 1 goes on");
    expect(watching.said).toContain("pumice cancel 1");
    expect((await lab.job(1)).state).toBe("Submitted");
  });
});

test("watch takes up a job that runs already", async () => {
  const { id, token } = await runningJob(lab, worker);
  await lab.ship(id, token, 0, log.slice(0, 1));
  const watching = start("watch", String(id));
  await watching.shows("tmpfs-deploy");
  await lab.ship(id, token, 1, log.slice(1));
  await watching.shows("hello");
  await lab.finish(id, token, { result: "pass", lines: log.length });
  expect(await watching.ended).toBe(0);
});

describe("logs", () => {
  test("prints what there is and ends, also of a job that runs", async () => {
    const { id, token } = await runningJob(lab, worker);
    await lab.ship(id, token, 0, log.slice(0, 1));
    const { code, out } = await pumice("logs", String(id));
    expect({ code, out }).toEqual({ code: 0, out: "12:30:01.250 start: 1 tmpfs-deploy\n" });
  });

  test("-f follows to the end", async () => {
    const { id, token } = await runningJob(lab, worker);
    const following = start("logs", "-f", String(id));
    await following.shows(`Job ${id} is Running on qemu-01`);
    await lab.ship(id, token, 0, log);
    await lab.finish(id, token, { result: "pass", lines: log.length });
    expect(await following.ended).toBe(0);
    expect(following.out.trimEnd().split("\n")).toHaveLength(log.length);
  });

  test("--level leaves out the rest, --json prints records as they are", async () => {
    const id = String(await finishedJob());
    const results = await pumice("logs", id, "--level", "results,feedback", "--json");
    expect(
      results.out
        .trim()
        .split("\n")
        .map((text) => JSON.parse(text) as unknown),
    ).toEqual(log.slice(2));
  });

  test("are coloured by level on a terminal, the device's lines plain", async () => {
    const id = String(await finishedJob());
    const run = startCli(["logs", id], env(), { useColours: true });
    await run.ended;
    expect(run.out).toContain("\u001b[36mstart: 1 tmpfs-deploy\u001b[0m");
    expect(run.out).toContain("\u001b[31m[fail] 0_smoke/reads\u001b[0m");
    expect(run.out).toContain("\u001b[0m Linux version 6.1\n");
  });

  test("of a job that is not there: exit 2", async () => {
    const { code, said } = await pumice("logs", "99");
    expect(code).toBe(2);
    expect(said).toContain("99");
  });
});

test("results come as a table, as JSON and as JUnit", async () => {
  const id = String(await finishedJob());
  expect((await pumice("results", id)).out).toContain("0_smoke  boots  pass    12.5 seconds\n");
  const { results } = JSON.parse((await pumice("results", id, "--json")).out) as {
    results: { name: string }[];
  };
  expect(results.map(({ name }) => name)).toEqual(["boots", "reads"]);
  expect((await pumice("results", id, "--junit")).out).toMatch(/^<\?xml[^]*<testsuites/);
});

test("jobs lists what its filters leave, and goes on where a list ended", async () => {
  await finishedJob();
  await lab.submit(aJob({ name: String.raw`"second\e[2J"` }));
  const all = await pumice("jobs");
  expect(all.out).toMatch(/^ID {2}STATE .*\n2 {3}\S+ +Unknown .* second\n1 {3}Finished +Complete/);
  const finished = await pumice("jobs", "--state", "Finished", "--type", "qemu", "--json");
  expect(JSON.parse(finished.out)).toMatchObject({ jobs: [{ id: 1, health: "Complete" }] });
  const first = await pumice("jobs", "--limit", "1");
  const cursor = /--cursor (\S+)/.exec(first.said)?.[1] ?? "";
  expect((await pumice("jobs", "--cursor", cursor)).out).toContain("\n1   Finished");
  expect(await pumice("jobs", "--state", "Nonsense")).toMatchObject({ code: 2, out: "" });
});

test("show prints all that is known of a job", async () => {
  const id = String(await finishedJob());
  expect((await pumice("show", id)).out).toMatch(/^device +qemu-01$/m);
  expect(JSON.parse((await pumice("show", id, "--json")).out)).toMatchObject({ id: 1 });
});

describe("whose fault, and what was tried again", () => {
  test("a failure says which line shows it", async () => {
    await lab.sync(worker);
    await lab.submit();
    const id = await runJob({
      result: "fail",
      error_type: "Job",
      error_msg: "login-action timed out",
      evidence: { pattern: "login:", line: 1 },
    });
    const { code, said } = await pumice("watch", String(id));
    expect(code).toBe(1);
    expect(said).toContain("Incomplete: Job: login-action timed out\n");
    expect(said).toContain("shown by line 2 of the log, pattern login:");
    expect((await pumice("show", String(id))).out).toContain("line 2 of the log, pattern login:");
  });

  test("a job that passed on retry says so, and results of a failed attempt are told apart", async () => {
    await lab.sync(worker);
    await lab.submit();
    const failed = { definition: "lava", case: "leaf", result: "fail", level: "2.1" };
    const attempt = { attempt: "1 of 3" };
    const id = await runJob(
      {
        retries: 1,
        passed_on_retry: [{ action: "uboot-retry", level: "2", attempt: 2, of: 3 }],
      },
      [
        line("results", aResult({ case: "boots", result: "fail", ...attempt })),
        line("results", { ...failed, ...attempt, retried: true, attempt_start: 0 }),
        line("results", aResult({ case: "boots", attempt: "2 of 3" })),
      ],
    );
    const { code, said, out } = await pumice("watch", String(id));
    expect(code).toBe(0);
    expect(said).toContain("uboot-retry (2) passed on attempt 2 of 3");
    expect(out).toMatch(/boots \(failed attempt 1 of 3\) +fail/);
    expect(out).toMatch(/boots +pass/);
    const { out: junit } = await pumice("results", "--junit", String(id));
    expect(junit).toContain('name="boots (attempt 1 of 3)"');
    expect(junit).toContain('name="boots"');
  });

  test("a job is annotated, and shown with what people wrote", async () => {
    await lab.submit();
    const { code, said } = await pumice("annotate", "1", "the cable\nwas loose", "--cause", "lab");
    expect([code, said]).toEqual([0, "Annotated job 1\n"]);
    expect((await pumice("show", "1")).out).toContain("admin: the cable was loose (lab)");
    expect((await pumice("annotate", "1", "x", "--cause", "moon")).said).toContain("product, test");
    expect((await pumice("annotate", "one", "x")).code).toBe(2);
    expect((await pumice("annotate", "1")).said).toContain("TEXT is missing");
  });

  test("a job that goes back to the queue is followed there, and each attempt can be asked for", async () => {
    await lab.sync(worker);
    await lab.submit(aJob({ lines: ["retry_on: infrastructure"] }));
    const watching = start("watch", "1");
    await runJob({ result: "fail", error_type: "Infrastructure", error_msg: "no power" });
    await watching.shows("goes back to the queue: attempt 1, on qemu-01, failed: Infrastructure");
    await lab.sync(worker);
    await runJob({}, [line("target", "second time")]);
    await watching.shows("second time");
    expect(await watching.ended).toBe(0);
    expect(watching.said).toContain("failed: Infrastructure: no power (--attempt 1 shows it)");
    expect((await pumice("logs", "1")).out).toBe("12:30:01.250 second time\n");
    expect((await pumice("logs", "--attempt", "1", "1")).out).toContain("Linux version");
    expect((await pumice("logs", "-f", "--attempt", "1", "1")).out).toContain("Linux version");
    expect((await pumice("results", "--attempt", "1", "1")).out).toContain("boots");
    expect((await pumice("show", "--attempt", "1", "1")).out).toContain("no power");
    expect((await pumice("show", "--attempt", "3", "1")).said).toContain("no attempt 3");
    expect((await pumice("show", "--attempt", "one", "1")).code).toBe(2);
    const { out } = await pumice("jobs", "--device", "qemu-01");
    expect(out).toContain("(attempt 1)");
  });
});
