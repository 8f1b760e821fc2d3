import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { text } from "node:stream/consumers";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { VERSION } from "#protocol/version.ts";
import { aDeviceConfiguration, aJob } from "../support/builders.ts";
import { pumiceProgram } from "../support/pumice-program.ts";

let program: Awaited<ReturnType<typeof pumiceProgram>>;
let dir: string;
let started: ChildProcess[];

beforeAll(async () => {
  program = await pumiceProgram();
});
afterAll(() => program.remove());
beforeEach(() => {
  dir = mkdtempSync(path.join(tmpdir(), "pumice-cli-"));
  started = [];
});
afterEach(async () => {
  for (const child of started) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    child.kill("SIGKILL");
    await once(child, "exit");
  }
  rmSync(dir, { recursive: true, force: true });
});

function start(args: string[], env: NodeJS.ProcessEnv = {}) {
  const child = spawn(process.execPath, [program.file, ...args], {
    env: { PATH: process.env["PATH"], XDG_CONFIG_HOME: dir, ...env },
  });
  started.push(child);
  return child;
}

async function pumice(args: string[], env: NodeJS.ProcessEnv = {}, input = "") {
  const child = start(args, env);
  child.stdin.end(input);
  const [out, said, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, "exit") as Promise<[number | null]>,
  ]);
  return { code, out, said };
}

/** Starts a lab on a free port; the address is in what it says. */
async function serve() {
  const child = start(["serve", "--data", path.join(dir, "data"), "--listen", "127.0.0.1:0"]);
  let said = "";
  for await (const chunk of child.stderr) {
    said += String(chunk);
    const url = /http:\S+/.exec(said)?.[0];
    if (url && said.includes("admin-token")) {
      const env = { PUMICE_URL: url, PUMICE_TOKEN_FILE: path.join(dir, "data/admin-token") };
      return { child, env, said };
    }
  }
  throw new Error(`serve ended: ${said}`);
}

/** A worker that never comes, and its device. */
async function addBench(env: NodeJS.ProcessEnv): Promise<void> {
  expect((await pumice(["workers", "add", "bench"], env)).code).toBe(0);
  const config = path.join(dir, "device.yaml");
  writeFileSync(config, aDeviceConfiguration());
  const where = ["--type", "qemu", "--worker", "bench", "--config", config];
  expect((await pumice(["devices", "add", "qemu-01", ...where], env)).code).toBe(0);
}

test("the program serves a lab, takes a job from standard input, and stops at SIGTERM", async () => {
  const { child, env, said } = await serve();
  const token = path.join(dir, "data/admin-token");
  expect(said).toContain(token);
  expect(statSync(token).mode & 0o777).toBe(0o600);

  const refused = await pumice(["submit", "-"], env, aJob());
  expect(refused.code).toBe(2);
  expect(refused.said).toContain('-:2:1: device_type: unknown device type "qemu"');

  await addBench(env);
  expect(await pumice(["submit", "-"], env, aJob())).toMatchObject({
    code: 0,
    out: `Submitted job 1: ${env.PUMICE_URL}/jobs/1\n`,
  });

  // serve() above stopped reading what it says: that must not matter.
  const exited = once(child, "exit");
  child.kill("SIGTERM");
  expect(await exited).toEqual([0, null]);
});

test("a second control plane on the same data is refused with a sentence", async () => {
  await serve();
  const args = ["serve", "--data", path.join(dir, "data"), "--listen", "127.0.0.1:0"];
  const { code, said } = await pumice(args);
  expect(code).toBe(2);
  expect(said).toMatch(/^pumice: .* is in use by another control plane; stop that one first\n$/);
});

test("a watcher bears that the control plane is killed and started again", async () => {
  const first = await serve();
  await addBench(first.env);
  const watching = start(["submit", "-", "--watch"], first.env);
  watching.stdin.end(aJob());
  const says = shower(watching);
  await says("Job 1 is Submitted");
  first.child.kill("SIGKILL");
  await says("can't be reached");

  const listen = new URL(first.env.PUMICE_URL).host;
  const again = start(["serve", "--data", path.join(dir, "data"), "--listen", listen]);
  await shower(again)("admin-token");
  const exited = once(watching, "exit");
  await pumice(["cancel", "1"], first.env);
  expect(await exited).toEqual([3, null]);
});

test("the first Ctrl-C stops watching: exit 130", async () => {
  const { env } = await serve();
  await addBench(env);
  const watching = start(["submit", "-", "--watch"], env);
  watching.stdin.end(aJob());
  const says = shower(watching);
  await says("Job 1 is Submitted");
  const exited = once(watching, "exit");
  watching.kill("SIGINT");
  await says("pumice cancel 1");
  expect(await exited).toEqual([130, null]);
});

test("a reader that goes away ends the program quietly", async () => {
  const child = start(["--help"]);
  child.stdout.destroy();
  const [said, exit] = await Promise.all([text(child.stderr), once(child, "exit")]);
  expect(said).toBe("");
  expect(exit).toEqual([141, null]);
});

test("--version says the version", async () => {
  expect(await pumice(["--version"])).toEqual({ code: 0, out: `pumice ${VERSION}\n`, said: "" });
});

/** Resolves when the program has said the text; throws when it ends without. */
function shower(child: ChildProcess): (expected: string) => Promise<void> {
  let said = "";
  const look = new Set<() => void>();
  child.stderr?.on("data", (chunk: Buffer) => {
    said += String(chunk);
    for (const check of look) check();
  });
  child.stderr?.on("end", () => {
    said += "(ended)";
    for (const check of look) check();
  });
  return (expected) =>
    new Promise((resolve, reject) => {
      const check = () => {
        if (said.includes(expected)) resolve();
        else if (said.endsWith("(ended)")) reject(new Error(`${expected} was not said: ${said}`));
      };
      look.add(check);
      check();
    });
}
