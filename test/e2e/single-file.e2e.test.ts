import { execFile, execFileSync, spawnSync } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { verifyManifest } from "#protocol/release-signature.ts";
import { PLATFORMS, type Platform, workerFileName } from "#protocol/release.ts";
import { VERSION } from "#protocol/version.ts";
import { methodPage } from "../support/method-page.ts";
import { root, realLab, until, type RealLab } from "../support/real-lab.ts";
import { startSerialBoard } from "../support/serial-board.ts";
import { textInMemory } from "../support/text-in-memory.ts";

const { publicKey, privateKey } = generateKeyPairSync("ed25519");
let dir: string;
beforeAll(async () => {
  dir = mkdtempSync(path.join(tmpdir(), "pumice-single-file-"));
  writeFileSync(path.join(dir, "key.pem"), privateKey.export({ type: "pkcs8", format: "pem" }));
  await build("first", "--key", path.join(dir, "key.pem"));
  for (const platform of PLATFORMS) writeProgram(platform);
  const page = methodPage("boot-u-boot");
  writeFileSync(path.join(dir, "job.yaml"), page.job);
  writeFileSync(path.join(dir, "board.jinja2"), page.dictionary);
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const build = (out: string, ...args: string[]) =>
  promisify(execFile)(path.join(root, "scripts/build"), ["--out", path.join(dir, out), ...args]);

/** How a platform's file is run on this machine: itself, or a script that runs it in an emulator. */
function writeProgram(platform: Platform): void {
  const file = path.join(dir, "first", workerFileName(platform));
  const how = EMULATORS[platform];
  const script = `#!/bin/sh\nexec ${how ? `${how} ` : ""}'${file}' "$@"\n`;
  writeFileSync(program(platform), script);
  chmodSync(program(platform), 0o755);
}
const program = (platform: Platform): string => path.join(dir, platform);
const EMULATORS: Partial<Record<Platform, string>> = {
  ...(process.arch === "x64" ? {} : { "linux-x64": "qemu-x86_64-static" }),
  ...(process.arch === "arm64"
    ? {}
    : { "linux-arm64": "qemu-aarch64-static -L /usr/aarch64-linux-gnu" }),
  // Each function it uses must be in the libraries that it names.
  "linux-armv7": "qemu-arm-static -E LD_BIND_NOW=1 -L /usr/arm-linux-gnueabihf",
};

/** With nothing in its environment and in a folder where nobody can write. */
const run = (platform: Platform, ...args: string[]) =>
  spawnSync(program(platform), args, { encoding: "utf8", env: {}, cwd: "/proc" });

describe.each(PLATFORMS)("the file for %s", (platform) => {
  test("tells its version and its commands, and refuses what it doesn't know", () => {
    expect(run(platform, "--version")).toMatchObject({
      status: 0,
      stdout: `pumice-worker ${VERSION}\n`,
      stderr: "",
    });
    expect(run(platform, "--help").stdout).toContain("pumice-worker start ");
    expect(run(platform, "frobnicate")).toMatchObject({
      status: 2,
      stderr: "pumice-worker: unknown command frobnicate; see pumice-worker --help\n",
    });
  });

  test("says what its machine lacks", () => {
    const { status, stdout, stderr } = run(platform, "doctor");
    expect(stderr).toBe("");
    expect([0, 1]).toContain(status);
    expect(stdout).toMatch(/^\w+ +tftp /m);
  });

  test("has the device types inside", () => {
    const files = [path.join(dir, "job.yaml"), "--device", path.join(dir, "board.jinja2")];
    const { status, stdout, stderr } = run(platform, "run", "--plan", ...files);
    expect(stderr).toBe("");
    expect(status).toBe(0);
    expect(stdout).toMatch(/^1\ttftp-deploy /);
  });

  test("takes a job, drives a board on a serial port and delivers log and results", async () => {
    // Its runners must be started in the emulator as well.
    const again = EMULATORS[platform] ? [`PUMICE_WORKER_PROGRAM=${program(platform)}`] : [];
    const search = `PATH=${process.env["PATH"]}`;
    const lab = await realLab({
      devices: 0,
      worker: ["env", "-i", search, ...again, program(platform)],
    });
    try {
      await expectWholeJob(lab);
      if (!EMULATORS[platform]) await expectTextGivenBack(lab.agent.pid!);
    } finally {
      await lab.close();
    }
  });
});

/** An idle agent has let go of what its file can give it again. Bun writes to nothing of it: what was written would be lost. */
async function expectTextGivenBack(pid: number): Promise<void> {
  await until(() => textInMemory(pid).part < 0.25);
  expect(textInMemory(pid).written).toBe(0);
}

async function expectWholeJob(lab: RealLab): Promise<void> {
  const board = await startSerialBoard();
  try {
    await lab.api("PUT", "/devices/board-01", {
      device_type: "board",
      worker: "bench",
      dictionary: board.dictionary,
    });
    const id = await lab.submit(JOB);
    const records = await lab.follow(id);
    const job = await lab.job(id);
    const target = records.filter(({ lvl }) => lvl === "target").map(({ msg }) => String(msg));
    expect(job, target.join("\n")).toMatchObject({
      state: "Finished",
      health: "Complete",
      log_lines: records.length,
    });
    const results = await lab.results(id);
    expect(results).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ suite: "lava", name: "job", result: "pass" }),
        expect.objectContaining({ suite: "0_shell", name: "arithmetic", result: "pass" }),
        expect.objectContaining({ suite: "0_shell", name: "flood", result: "pass" }),
      ]),
    );
    const counted = target.filter((line) => /^line \d+$/.test(line));
    expect(counted).toEqual(Array.from({ length: 3000 }, (_, n) => `line ${n + 1}`));
    expect(board.commands).toEqual(["Power1 Off", "Power1 On", "Power1 Off"]);
  } finally {
    await board.close();
  }
}

const JOB = `job_name: a board on a serial port
device_type: board
visibility: public
timeouts: {job: {minutes: 4}, action: {minutes: 2}, connection: {minutes: 1}}
actions:
- boot:
    method: minimal
    parameters: {kernel-start-message: ''}
    auto_login:
      login_prompt: 'login: '
      username: root
      password_prompt: 'Password: '
      password: lava
    prompts: ['board:~# ']
- test:
    interactive:
    - name: shell
      prompts: ['board:~# ']
      echo: discard
      script:
      - {name: arithmetic, command: 'echo $((6 * 7))', successes: [{message: '42'}]}
      - {name: flood, command: 'seq -f "line %g" 3000', successes: [{message: 'line 3000'}]}
`;

describe("scripts/build", () => {
  test("gives the same bytes again in another folder", async () => {
    await build("second");
    const sums = readFileSync(path.join(dir, "first/SHA256SUMS"), "utf8");
    expect(readFileSync(path.join(dir, "second/SHA256SUMS"), "utf8")).toBe(sums);
    expect(sums.trim().split("\n")).toHaveLength(PLATFORMS.length);
  });

  test("writes sums that sha256sum(1) accepts and a manifest that openssl(1) and we verify", () => {
    const out = path.join(dir, "first");
    execFileSync("sha256sum", ["-c", "--quiet", "SHA256SUMS"], { cwd: out });
    const pem = publicKey.export({ type: "spki", format: "pem" }).toString();
    const text = readFileSync(path.join(out, "manifest.json"), "utf8");
    const signature = readFileSync(path.join(out, "manifest.json.sig"), "utf8");
    const manifest = verifyManifest(text, signature, [pem]);
    expect(manifest).toMatchObject({ version: VERSION, protocol: expect.any(Number) });
    expect(manifest.files.map(({ platform }) => platform)).toEqual(PLATFORMS);
    writeFileSync(path.join(dir, "public.pem"), pem);
    writeFileSync(path.join(dir, "signature"), Buffer.from(signature, "base64"));
    const verify = "pkeyutl -verify -pubin -inkey public.pem -rawin -sigfile signature -in";
    const said = execFileSync("openssl", [...verify.split(" "), "first/manifest.json"], {
      cwd: dir,
      encoding: "utf8",
    });
    expect(said).toContain("Signature Verified Successfully");
  });

  test("says what is wrong with its arguments and its key", async () => {
    writeFileSync(path.join(dir, "no.pem"), "rubbish\n");
    await expect(build("none", "x86")).rejects.toThrow("no platform is called x86: expected x64");
    await expect(build("none", "x64", "--key", path.join(dir, "no.pem"))).rejects.toThrow(
      "can't be read as a private key in PEM form",
    );
  });
});
