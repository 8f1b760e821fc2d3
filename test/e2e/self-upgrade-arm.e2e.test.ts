import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, afterEach, describe, expect, test } from "vitest";
import type { WorkerView } from "#protocol/api.ts";
import { workerFileName, type Platform } from "#protocol/release.ts";
import { aSigner } from "../support/a-release.ts";
import { cli } from "../support/cli-run.ts";
import { installedWorker, type InstalledWorker } from "../support/installed-worker.ts";
import { realLab, until, type RealLab } from "../support/real-lab.ts";
import { boardJob, countingOnBoard, expectWholeLog, isCounting } from "../support/smoke-jobs.ts";
import { brokenVersion, workerBuild } from "../support/worker-versions.ts";

/** How the kernel knows an executable of a processor: e_ident and e_machine of its ELF header. */
const EMULATORS = {
  "linux-arm64": {
    emulator: "/usr/bin/qemu-aarch64-static",
    libraries: "/usr/aarch64-linux-gnu",
    header: String.raw`\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00`,
  },
  "linux-armv7": {
    emulator: "/usr/bin/qemu-arm-static",
    libraries: "/usr/arm-linux-gnueabihf",
    header: String.raw`\x7fELF\x01\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\x28\x00`,
  },
} as const;
type Emulated = keyof typeof EMULATORS;
const MASK = String.raw`\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff`;

/** Runs a program where files of that processor run as if it was the machine's; the rest of the machine knows nothing of it. */
function emulating(platform: Emulated): string[] {
  const { emulator, header } = EMULATORS[platform];
  const rule = `:${platform}:M::${header}:${MASK}:${emulator}:F`;
  const script = `mount -t binfmt_misc none /proc/sys/fs/binfmt_misc && printf %s "$0" >/proc/sys/fs/binfmt_misc/register && exec "$@"`;
  return ["unshare", "-Ur", "-m", "sh", "-c", script, rule];
}

function lacks(): string | undefined {
  const [program, ...args] = [...emulating("linux-arm64"), "true"] as const;
  const { status, stderr } = spawnSync(program, args, { encoding: "utf8" });
  return status === 0
    ? undefined
    : `a kernel whose user namespaces have binfmt_misc of their own: ${stderr.trim()}`;
}
const problem = lacks();
if (problem !== undefined) console.warn(`skipped: upgrades of the ARM files need ${problem}`);

const signer = aSigner();
const buildDir = mkdtempSync(path.join(tmpdir(), "pumice-builds-"));
afterAll(() => rmSync(buildDir, { recursive: true, force: true }));
function build(platform: Platform, version: string): string {
  const key = path.join(buildDir, "release.key");
  writeFileSync(key, signer.privatePem);
  return workerBuild(path.join(buildDir, platform, version), version, key, platform);
}

let lab: RealLab;
let worker: InstalledWorker;
afterEach(async () => {
  await worker?.close();
  await lab?.close();
});

const pumice = (...args: string[]) =>
  cli(args, { PUMICE_URL: lab.url, PUMICE_TOKEN: lab.adminToken });
const view = () => lab.api<WorkerView>("GET", "/workers/bench");

/** A file that has a version and is of no use, as a signed release. */
function brokenRelease(platform: Platform, version: string): string {
  const dir = path.join(lab.dir, "files", version);
  mkdirSync(dir, { recursive: true });
  const name = workerFileName(platform);
  copyFileSync(brokenVersion(dir, version, "exit 7"), path.join(dir, name));
  const content = readFileSync(path.join(dir, name));
  const sha256 = createHash("sha256").update(content).digest("hex");
  const files = [{ platform, name, bytes: content.length, sha256 }];
  const manifest = JSON.stringify({ version, protocol: 1, files });
  writeFileSync(path.join(dir, "manifest.json"), manifest);
  writeFileSync(path.join(dir, "manifest.json.sig"), signer.sign(manifest));
  return dir;
}

async function rollOut(dir: string, version: string): Promise<void> {
  expect(await pumice("releases", "add", dir)).toMatchObject({ code: 0 });
  expect((await pumice("rollout", "start", version)).said).toBe("");
}

describe.skipIf(problem)("a worker on an ARM processor, emulated", () => {
  test.each(["linux-arm64", "linux-armv7"] as const)(
    "(%s) changes its version under a running job, and goes back from one that is of no use",
    async (platform) => {
      lab = await realLab({ devices: 0, boards: 1 });
      await lab.killAgent();
      writeFileSync(path.join(lab.dir, "keys.pem"), signer.publicPem);
      await lab.api("PUT", "/release-keys", { pem: signer.publicPem });
      const file = build(platform, "1.0.0");
      const { libraries } = EMULATORS[platform];
      const token = path.join(lab.dir, "worker-token");
      worker = installedWorker(
        path.join(realpathSync(lab.dir), "lib"),
        { version: "1.0.0", file },
        ["--url", lab.url, "--token-file", token, "--work-dir", lab.workDir],
        {
          PUMICE_RELEASE_KEYS: path.join(lab.dir, "keys.pem"),
          PUMICE_SETTINGS: path.join(lab.dir, "none.env"),
          QEMU_LD_PREFIX: libraries,
        },
        emulating(platform),
      );
      await until(async () => (await view()).platform === platform);
      const id = await lab.submit(countingOnBoard);
      await lab.follow(id, isCounting);
      await rollOut(path.dirname(build(platform, "1.1.0")), "1.1.0");
      await until(async () => (await view()).version === "1.1.0");
      expect((await lab.finished(id)).health).toBe("Complete");
      expectWholeLog(await lab.follow(id), 60);
      await rollOut(brokenRelease(platform, "2.0.0"), "2.0.0");
      await until(async () => (await view()).upgrade?.state === "rolled_back");
      expect((await view()).version).toBe("1.1.0");
      const next = await lab.submit(boardJob());
      expect((await lab.finished(next)).health).toBe("Complete");
    },
    600_000,
  );
});
