import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, afterEach, beforeEach, describe, expect, test } from "vitest";
import type { WorkerView } from "#protocol/api.ts";
import type { RolloutView } from "#protocol/release-api.ts";
import { workerFileName } from "#protocol/release.ts";
import { aSigner } from "../support/a-release.ts";
import { cli } from "../support/cli-run.ts";
import {
  installedWorker,
  startInstalled,
  type InstalledWorker,
} from "../support/installed-worker.ts";
import { realLab, until, type RealLab } from "../support/real-lab.ts";
import {
  boardJob,
  countingOnBoard,
  countingUntil,
  expectWholeLog,
  isCounting,
} from "../support/smoke-jobs.ts";
import { brokenVersion, workerBuild, workerScript } from "../support/worker-versions.ts";
import { lacking } from "../support/lacking.ts";

const signer = aSigner();
let lab: RealLab;
let worker: InstalledWorker;
let files: string;
beforeEach(async () => {
  lab = await realLab({ devices: 0, boards: 1 });
  // Its place is taken by one that is installed.
  await lab.killAgent();
  files = path.join(lab.dir, "files");
  mkdirSync(files);
  writeFileSync(path.join(lab.dir, "keys.pem"), signer.publicPem);
  await lab.api("PUT", "/release-keys", { pem: signer.publicPem });
});
afterEach(async () => {
  await worker.close();
  await lab.close();
});

function install(version: string, file: string, env: NodeJS.ProcessEnv = {}): void {
  worker = installedWorker(
    path.join(realpathSync(lab.dir), "lib"),
    { version, file },
    [
      "--url",
      lab.url,
      "--token-file",
      path.join(lab.dir, "worker-token"),
      "--work-dir",
      lab.workDir,
    ],
    {
      PUMICE_RELEASE_KEYS: path.join(lab.dir, "keys.pem"),
      PUMICE_SETTINGS: path.join(lab.dir, "none.env"),
      ...env,
    },
  );
}

/** An executable as a release that is signed, brought by the command line. */
async function release(version: string, file: string): Promise<void> {
  const dir = path.join(files, version);
  mkdirSync(dir);
  const platform = "linux-x64";
  const name = workerFileName(platform);
  copyFileSync(file, path.join(dir, name));
  const content = readFileSync(file);
  const sha256 = createHash("sha256").update(content).digest("hex");
  const one = { platform, name, bytes: content.length, sha256 };
  const manifest = JSON.stringify({ version, protocol: 1, files: [one] });
  writeFileSync(path.join(dir, "manifest.json"), manifest);
  writeFileSync(path.join(dir, "manifest.json.sig"), signer.sign(manifest));
  await add(dir);
}
const add = async (dir: string) =>
  expect(await pumice("releases", "add", dir)).toMatchObject({ code: 0 });

/** The ways to make a version, and a release of another one. */
const FORMS = {
  script: {
    old: (version: string) => workerScript(files, version),
    release: async (version: string) => release(version, await workerScript(files, version)),
  },
  "single file": {
    old: async (version: string) => build(version),
    release: async (version: string) => add(path.dirname(build(version))),
  },
};
const built = new Map<string, string>();
const buildDir = mkdtempSync(path.join(tmpdir(), "pumice-builds-"));
afterAll(() => rmSync(buildDir, { recursive: true, force: true }));
function build(version: string): string {
  const there = built.get(version);
  if (there !== undefined) return there;
  const key = path.join(buildDir, "release.key");
  writeFileSync(key, signer.privatePem);
  const made = workerBuild(path.join(buildDir, version), version, key);
  built.set(version, made);
  return made;
}

const pumice = (...args: string[]) =>
  cli(args, { PUMICE_URL: lab.url, PUMICE_TOKEN: lab.adminToken });
const view = () => lab.api<WorkerView>("GET", "/workers/bench");
const hasVersion = (version: string) =>
  until(async () => {
    const { state, version: has } = await view();
    return state === "Online" && has === version;
  });
const rollout = async () => (await lab.api<{ rollout: RolloutView }>("GET", "/rollout")).rollout;
const start = async (version: string) => {
  await until(async () => (await view()).platform === "linux-x64");
  expect((await pumice("rollout", "start", version)).said).toBe("");
};
const versions = () => readdirSync(path.join(worker.layout.dir, "versions")).toSorted();

describe.skipIf(lacking(process.arch !== "x64", "the file is made for x64 here"))(
  "a worker that upgrades itself",
  () => {
    test.each(["script", "single file"] as const)(
      "(%s) changes its version under a running job, which is adopted and Complete, and keeps the old file meanwhile",
      async (form) => {
        const made = FORMS[form];
        install("1.0.0", await made.old("1.0.0"));
        await made.release("1.1.0");
        await hasVersion("1.0.0");
        const file = path.join(lab.dir, "go");
        const id = await lab.submit(countingUntil(file));
        await lab.follow(id, isCounting);
        await start("1.1.0");
        await hasVersion("1.1.0");
        expect((await lab.job(id)).state).toBe("Running");
        writeFileSync(file, "");
        expect((await lab.finished(id)).health).toBe("Complete");
        expectWholeLog(await lab.follow(id), 60);
        expect(worker.log.join("")).toContain(`job ${id}: adopted, running`);
        expect(versions()).toEqual(["1.0.0", "1.1.0"]);
        expect(await rollout()).toMatchObject({
          active: true,
          workers: [{ name: "bench", version: "1.1.0", state: "upgraded" }],
        });
        await made.release("1.2.0");
        await start("1.2.0");
        await hasVersion("1.2.0");
        await until(() => versions().length === 2);
        expect(versions()).toEqual(["1.1.0", "1.2.0"]);
        const next = await lab.submit(boardJob());
        expect((await lab.finished(next)).health).toBe("Complete");
      },
    );

    test.each([
      { what: "ends at once", body: "exit 7", why: /started 3 times/, env: {} },
      {
        what: "hangs",
        body: "exec sleep 1000",
        why: /has not reached its control plane/,
        env: { PUMICE_UPGRADE_WATCHDOG_SECONDS: "1" },
      },
    ])(
      "goes back from a version that $what, says so, and the roll-out stops; its job goes on",
      async ({ body, why, env }) => {
        install("1.0.0", await workerScript(files, "1.0.0"), env);
        await release("2.0.0", brokenVersion(files, "2.0.0", body));
        await hasVersion("1.0.0");
        const id = await lab.submit(countingOnBoard);
        await lab.follow(id, isCounting);
        await start("2.0.0");
        await until(async () => (await view()).upgrade?.state === "rolled_back");
        const stopped = await rollout();
        expect(stopped).toMatchObject({
          active: false,
          reason: expect.stringMatching(/^worker bench went back to its old version/),
          workers: [{ version: "1.0.0", state: "rolled_back", detail: expect.stringMatching(why) }],
        });
        expect((await lab.finished(id)).health).toBe("Complete");
        expectWholeLog(await lab.follow(id), 60);
        expect((await pumice("rollout", "next")).out).toContain("goes on");
        expect((await view()).version).toBe("1.0.0");
      },
    );

    test("changes to the next version after one that was given up", async () => {
      install("1.0.0", await workerScript(files, "1.0.0"));
      await release("2.0.0", brokenVersion(files, "2.0.0", "exit 7"));
      await release("2.0.1", await workerScript(files, "2.0.1"));
      await hasVersion("1.0.0");
      await start("2.0.0");
      await until(async () => (await view()).upgrade?.state === "rolled_back");
      await start("2.0.1");
      await hasVersion("2.0.1");
      expect((await view()).upgrade).toBeUndefined();
    });

    test("goes back by itself from a version whose agent runs but is not let in", async () => {
      install("1.0.0", await workerScript(files, "1.0.0"), {
        PUMICE_UPGRADE_CONFIRM_SECONDS: "10",
      });
      const good = await workerScript(path.join(files, "good"), "3.0.0");
      const token = path.join(lab.dir, "another-token");
      writeFileSync(token, "nonsense\n");
      // Called as `start --url URL --token-file FILE ...`.
      const body = `exec "${good}" "$1" "$2" "$3" "$4" "${token}" "$6" "$7"`;
      await release("3.0.0", brokenVersion(files, "3.0.0", body));
      await hasVersion("1.0.0");
      await start("3.0.0");
      await until(async () => (await view()).upgrade?.state === "rolled_back");
      expect((await view()).upgrade?.reason).toMatch(/within 10 s: .*401/);
      expect((await view()).version).toBe("1.0.0");
    });

    test.skipIf(lacking(process.getuid?.() !== 0, "it needs root"))(
      "goes from install and enrol to the next version as a user of its own, who is not root",
      async () => {
        const image = path.join(lab.dir, "image");
        const at = (name: string) => path.join(image, name);
        mkdirSync(at("etc"), { recursive: true });
        writeFileSync(at("etc/passwd"), "root:x:0:0:root:/root:/bin/sh\n");
        writeFileSync(at("etc/group"), "root:x:0:\n");
        const file = build("1.0.0");
        const run = (...args: string[]) =>
          execFileSync(file, args, {
            encoding: "utf8",
            env: { PATH: process.env["PATH"], PUMICE_SETTINGS: at("etc/pumice-worker/worker.env") },
          });
        run("install", "--root", image, "--init", "systemd");
        const { out } = await pumice("workers", "enrol", "board", "--add");
        const code = /board:\S+/.exec(out)?.[0] ?? "";
        run("enrol", lab.url, code);
        const [, , uid, gid] = /^pumice-worker:.*$/m
          .exec(readFileSync(at("etc/passwd"), "utf8"))![0]
          .split(":");
        // Of a test's folder nobody else sees anything.
        chmodSync(lab.dir, 0o755);
        const dir = realpathSync(at("usr/local/lib/pumice-worker"));
        worker = startInstalled(dir, [], {
          env: {
            PUMICE_SETTINGS: at("etc/pumice-worker/worker.env"),
            PUMICE_WORK_DIR: at("var/lib/pumice-worker"),
          },
          uid: Number(uid),
          gid: Number(gid),
        });
        const board = () => lab.api<WorkerView>("GET", "/workers/board");
        await until(async () => (await board()).platform === "linux-x64");
        await add(path.dirname(build("1.1.0")));
        for (const version of ["1.1.0", "1.2.0"]) {
          if (version === "1.2.0") await add(path.dirname(build(version)));
          expect((await pumice("rollout", "start", version, "--worker", "board")).said).toBe("");
          await until(async () => (await board()).version === version);
        }
        await until(() => versions().length === 2);
        expect(versions()).toEqual(["1.1.0", "1.2.0"]);
      },
    );
  },
);
