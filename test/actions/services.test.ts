import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { methodPage } from "../support/method-page.ts";
import { runOnBed, type BedRan } from "../support/run-on-bed.ts";
import { standIn, useTools } from "../support/stand-in-tool.ts";

let folder: string;
let repository: string;
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), "pumice-services-"));
  repository = path.join(folder, "services");
  mkdirSync(path.join(repository, "echo"), { recursive: true });
  writeFileSync(path.join(repository, "echo/compose.yaml"), "services: {web: {image: web}}\n");
  writeFileSync(path.join(repository, "echo/.env"), "PORT=80");
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Keeps what it was called with, and the `.env` that compose would have read; `fails` on its `up`. */
function dockerStandIn(fails = false): () => string {
  const calls = standIn(
    folder,
    "docker",
    `
[ "$1" = compose ] || { echo "unknown command: docker $1" >&2; exit 1; }
[ "$2 $#" = "version 2" ] && { echo "Docker Compose version v2.40.3"; exit 0; }
[ "$2" = --project-name ] && [ "$4" = --file ] && [ -f "$5" ] || { echo "unknown flag" >&2; exit 16; }
case "$6" in
  up) [ "$7" = --detach ] || exit 16; cat "$(dirname "$5")/.env" > ${folder}/env; ${fails ? 'echo "no configuration" >&2; exit 14' : "exit 0"} ;;
  down) exit 0 ;;
  *) exit 16 ;;
esac`,
  );
  return () => calls().replace(/^compose version\n/gm, "");
}

function commit(): string {
  const git = (...words: string[]): string =>
    execFileSync("git", ["-C", repository, "-c", "user.name=t", "-c", "user.email=t@t", ...words], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    });
  git("init", "-q");
  git("add", ".");
  git("commit", "-q", "-m", "services");
  return git("rev-parse", "HEAD").trim();
}

async function run(change: (job: string) => string = (job) => job): Promise<BedRan> {
  const { job, dictionary } = methodPage("test-services");
  const own = job.replace("https://git.example.com/lab/services.git", `file://${repository}`);
  return useTools(folder, () =>
    runOnBed({ job: change(own), dictionary, jobId: 7, dispatcher: { dispatcher_ip: "10.0.0.1" } }),
  );
}

test("a service is started from its repository, told of the job, and stopped when the job says so", async () => {
  const calls = dockerStandIn();
  const head = commit();
  const ran = await run();
  expect(ran.outcome.result, ran.text).toBe("pass");
  const [up = "", down = "", ...more] = calls().trim().split("\n");
  const project = "--project-name lava-7-1-1-1-test-service-echo";
  expect(up).toMatch(
    new RegExp(`^compose ${project} --file /\\S+/echo/compose.yaml up --detach web$`),
  );
  expect(down).toMatch(new RegExp(`^compose ${project} --file \\S+ down$`));
  // Nothing is left for the end of the job.
  expect(more).toEqual([]);
  const env = readFileSync(path.join(folder, "env"), "utf8");
  expect(env).toBe(
    [
      "PORT=80",
      "# Added by LAVA.",
      `GREETING="it's on"`,
      "LAVA_JOB_ID=7",
      "LAVA_DISPATCHER_IP=10.0.0.1",
      "LAVA_DEVICE_HOSTNAME=dut-01",
      "LAVA_DEVICE_TYPE=docker",
      "",
    ].join("\n"),
  );
  expect(ran.results).toContainEqual(
    expect.objectContaining({ case: "lava-test-service", extra: { name: "echo", commit: head } }),
  );
});

test("a service that nobody stops is stopped when the job ends", async () => {
  const calls = dockerStandIn();
  commit();
  const ran = await run((job) => job.replace(/ {2}- command:[^]*/, ""));
  expect(ran.outcome.result, ran.text).toBe("pass");
  expect(calls().trim().split("\n").at(-1)).toMatch(/ down$/);
});

test("what compose refuses is the lab's fault, and what had started is stopped", async () => {
  const calls = dockerStandIn(true);
  commit();
  const ran = await run();
  expect(ran.outcome).toMatchObject({ result: "fail", error_type: "Infrastructure" });
  expect(ran.outcome.error_msg).toMatch(/failed: exit code 14; it said last: no configuration$/);
  expect(calls().trim().split("\n").at(-1)).toMatch(/ down$/);
});

test("a compose file that is a link to elsewhere is refused", async () => {
  dockerStandIn();
  rmSync(path.join(repository, "echo/compose.yaml"));
  symlinkSync("/etc/passwd", path.join(repository, "echo/compose.yaml"));
  commit();
  const ran = await run();
  expect(ran.outcome).toMatchObject({ result: "fail", error_type: "Job" });
  expect(ran.outcome.error_msg).toContain("expected a compose file inside of the repository");
});

test("a worker without compose says so before anything is fetched", async () => {
  standIn(folder, "docker", `echo "docker: 'compose' is not a docker command." >&2; exit 1`);
  standIn(folder, "git", "exit 1");
  const { job, dictionary } = methodPage("test-services");
  const { PATH } = process.env;
  // No docker-compose of this machine.
  process.env["PATH"] = folder;
  try {
    const ran = await useTools(folder, () => runOnBed({ job, dictionary }));
    expect(ran.outcome).toMatchObject({ result: "fail", error_type: "Infrastructure" });
    expect(ran.outcome.error_msg).toContain(
      "Neither 'docker compose' nor 'docker-compose' is on this worker: install docker-compose",
    );
  } finally {
    process.env["PATH"] = PATH;
  }
});

test("a device that does not allow services refuses them with the variable's name", async () => {
  const { job, dictionary } = methodPage("test-services");
  const ran = await runOnBed({ job, dictionary: dictionary.replace("true", "false") });
  expect(ran.outcome).toMatchObject({ result: "fail", error_type: "Job" });
  expect(ran.outcome.error_msg).toContain("allow_test_services");
});
