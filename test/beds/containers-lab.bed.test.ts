import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { JobView, LogPage, SubmitResponse } from "#protocol/api.ts";
import type { DryRun } from "#protocol/dry-run.ts";
import { aDeviceConfiguration, aJob } from "../support/builders.ts";
import { freePort } from "../support/loopback-ports.ts";
import { methodPage } from "../support/method-page.ts";
import { until } from "../support/real-lab.ts";
import { releaseFromClone } from "../support/release-from-clone.ts";
import { hasProgram } from "./container-bed.ts";
import { buildImages } from "./container-images.ts";
import { startDaemon } from "./docker-daemon.ts";

const why =
  process.getuid?.() !== 0
    ? "the daemon needs root"
    : ["dockerd", "docker-compose", "mmdebstrap"].find((name) => !hasProgram(name));
if (why !== undefined) console.warn(`skipped: ${why}`);
const folder = mkdtempSync(path.join(tmpdir(), "pumice-containers-"));
const socketFile = path.join(folder, "docker.sock");
let containers = "";
let stopDaemon: (() => Promise<void>) | undefined;
let port = 0;

const environment = (): NodeJS.ProcessEnv => ({
  ...process.env,
  DOCKER_HOST: `unix://${socketFile}`,
  DOCKER_CONFIG: path.join(folder, "config"),
  // Debian's docker.io has no other builder; a person's may.
  DOCKER_BUILDKIT: "0",
  PUMICE_PUBLISH: `127.0.0.1:${port}`,
  DOCKER_SOCKET: socketFile,
  DOCKER_GID: String(statSync(socketFile).gid),
});
const run = (program: string, words: string[]): string =>
  execFileSync(program, words, { encoding: "utf8", stdio: "pipe", env: environment() });
const docker = (...words: string[]): string => run("docker", words).trim();
const compose = (...words: string[]): string =>
  run("docker-compose", [
    ...["--project-name", "pumice"],
    ...["--file", path.join(containers, "compose.yaml")],
    ...["--file", path.join(containers, "docker-tests.yaml")],
    ...words,
  ]);

beforeAll(async () => {
  if (why !== undefined) return;
  mkdirSync(path.join(folder, "images"));
  stopDaemon = await startDaemon(folder, `unix://${socketFile}`, "overlay2");
  port = await freePort();
  const release = releaseFromClone(folder, "x64");
  containers = buildImages(path.join(folder, "images"), release.out, docker);
  release.remove();
  // The image of the documented jobs: any with a bash will do.
  docker("tag", "debian:trixie-slim", "debian:12");
  compose("up", "--detach");
});
afterAll(async () => {
  if (stopDaemon) compose("down", "--volumes");
  await stopDaemon?.();
  rmSync(folder, { recursive: true, force: true });
});

async function api<T>(method: string, where: string, body?: unknown): Promise<T> {
  const token = docker("exec", "pumice_server_1", "cat", "/var/lib/pumice/admin-token");
  const answer = await fetch(`http://127.0.0.1:${port}/api/v1${where}`, {
    method,
    headers: {
      authorization: `Bearer ${token}`,
      // One that is kept would be to a server that has gone after a restart.
      connection: "close",
      "content-type": typeof body === "string" ? "application/yaml" : "application/json",
    },
    ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
  });
  if (!answer.ok) throw new Error(`${method} ${where}: ${answer.status} ${await answer.text()}`);
  return (await answer.json()) as T;
}

const isOnline = (): Promise<void> =>
  until(async () => (await api<{ state: string }>("GET", "/workers/bench")).state === "Online");

/** Runs the documented job of a method, on its documented device, to a good end. */
async function passes(page: string, type: string): Promise<void> {
  const { job, dictionary } = methodPage(page);
  await api("PUT", `/devices/${type}-1`, { device_type: type, worker: "bench", dictionary });
  const { job_ids } = await api<SubmitResponse>("POST", "/jobs", job);
  const view = (): Promise<JobView> => api("GET", `/jobs/${job_ids[0]}`);
  await until(async () => (await view()).state === "Finished");
  const { records } = await api<LogPage>("GET", `/jobs/${job_ids[0]}/log`);
  const text = records.map(({ msg }) => JSON.stringify(msg)).join("\n");
  expect((await view()).health, text).toBe("Complete");
}

const work = (): string =>
  docker("exec", "pumice_worker_1", "find", "/var/lib/pumice-worker/jobs", "-mindepth", "1");

test.skipIf(why)("a lab of both comes up by itself: the worker has its token", async () => {
  await isOnline();
  const [token] = docker("exec", "pumice_worker_1", "stat", "-c", "%a", "/run/pumice/worker-token");
  expect(token).toBe("6");
  const { Test: check } = JSON.parse(
    docker("inspect", "--format", "{{json .Config.Healthcheck}}", "pumice_server_1"),
  ) as { Test: string[] };
  docker("exec", "pumice_server_1", ...check.slice(1));
});

test.skipIf(why)("the image has the documentation, what its API is, and the planner", async () => {
  const paths = ["/docs", "/docs/first-job", "/api/v1/openapi.json"];
  const found = await Promise.all(
    paths.map(async (where) => (await fetch(`http://127.0.0.1:${port}${where}`)).status),
  );
  expect(found).toEqual([200, 200, 200]);
  const configuration = aDeviceConfiguration();
  await api("PUT", "/devices/planned", { device_type: "qemu", worker: "bench", configuration });
  const tried = await api<DryRun>("POST", "/jobs/dry-run", aJob());
  expect(tried.jobs[0]?.plan?.steps?.length).toBeGreaterThan(2);
});

test.skipIf(why)("nobody in them is root, and nothing but their volumes can be written", () => {
  for (const name of ["pumice_server_1", "pumice_worker_1"]) {
    expect(docker("exec", name, "id", "-u")).toBe("10001");
    expect(docker("exec", name, "grep", "CapEff", "/proc/1/status")).toMatch(/:\s+0+$/);
    expect(() => docker("exec", name, "touch", "/usr/local/x")).toThrow("Read-only file system");
    expect(() => docker("exec", name, "touch", "/etc/x")).toThrow(/Read-only|denied/);
  }
});

test.skipIf(why)("a container as the device, and tests in one, need the socket alone", async () => {
  for (const [page, type] of [
    ["deploy-docker", "docker"],
    ["test-docker", "x15"],
  ] as const) {
    await passes(page, type);
  }
  const names = docker("ps", "--all", "--format", "{{.Names}}").split("\n").sort();
  expect(names).toEqual(["pumice_enrol_1", "pumice_server_1", "pumice_worker_1"]);
  // What the tests wrote as root was given back, or it could not have been removed.
  await until(() => work() === "");
  const { Privileged, Devices, CapAdd, Binds } = JSON.parse(
    docker("inspect", "--format", "{{json .HostConfig}}", "pumice_worker_1"),
  ) as Record<string, unknown>;
  expect({ Privileged, Devices, CapAdd }).toEqual({
    Privileged: false,
    Devices: null,
    CapAdd: null,
  });
  expect((Binds as string[]).filter((bind) => bind.startsWith("/"))).toEqual([
    `${socketFile}:/run/docker.sock:rw`,
  ]);
});

test.skipIf(why)("they end when they are told to, and what they know survives", async () => {
  docker("stop", "--time", "20", "pumice_worker_1", "pumice_server_1");
  for (const name of ["pumice_worker_1", "pumice_server_1"]) {
    expect(docker("inspect", "--format", "{{.State.ExitCode}}", name)).toBe("0");
  }
  compose("down");
  compose("up", "--detach");
  await isOnline();
  const { jobs } = await api<{ jobs: JobView[] }>("GET", "/jobs");
  expect(jobs.map(({ health }) => health)).toEqual(["Complete", "Complete"]);
  await passes("test-docker", "x15");
});
