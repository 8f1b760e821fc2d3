import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { runOnBed, type BedRan } from "../support/run-on-bed.ts";
import { freePort } from "../support/loopback-ports.ts";
import { standIn } from "../support/stand-in-tool.ts";
import { startAdbd, type Adbd, type Inside } from "./adbd.ts";
import { lacks } from "./container-bed.ts";
import { containerBench } from "./container-bench.ts";

/*
 * A board with Android and no serial console: a container behind an adbd of our own, and Debian's real adb. Fastboot, which
 * such a board has on the USB only, is a stand-in that checks its arguments; where no board is meant to be it is the real one.
 */

const bench = await containerBench("podman");
const SERIAL = "c2e02318";
const BOARD = "android-board";

const JOB = `device_type: my-android-board
job_name: tests by adb
visibility: public
timeouts:
  job: {minutes: 5}
  action: {minutes: 1}
  connection: {seconds: 30}
actions:
  - deploy:
      to: fastboot
      os: android
      images: {boot: {url: "file://${path.join(bench.folder, "boot.img")}"}}
  - boot: {method: fastboot, prompts: ['/ # ']}
  - test:
      definitions:
        - name: smoke
          from: inline
          path: inline/smoke.yaml
          repository:
            metadata: {format: Lava-Test Test Definition 1.0, name: smoke}
            run: {steps: [lava-test-case kernel --shell uname -a]}
`;

describe.skipIf(lacks("adb") || lacks("fastboot"))("a board with Android", () => {
  bench.use();
  let adbd: Adbd;
  let adbPort = 0;
  const tools = path.join(bench.folder, "tools");
  const environment = (): NodeJS.ProcessEnv => ({
    ...process.env,
    HOME: bench.folder,
    ANDROID_ADB_SERVER_PORT: String(adbPort),
  });
  const adb = (...words: string[]): string =>
    execFileSync("adb", words, { encoding: "utf8", env: environment(), stdio: "pipe" });
  beforeAll(async () => {
    writeFileSync(path.join(bench.folder, "boot.img"), "boot");
    const inside: Inside = (argv, hasTerminal) => [
      path.join(bench.bed().bin, "podman"),
      ...["exec", hasTerminal ? "-it" : "-i", BOARD, ...argv],
    ];
    bench
      .bed()
      .client("run", "--detach", "--init", `--name=${BOARD}`, "debian:12", "sleep", "1000");
    const android = "mkdir -p /system/bin /data/local/tmp && ln -s /bin/sh /system/bin/sh";
    bench.bed().client("exec", BOARD, "sh", "-c", android);
    adbd = await startAdbd(inside);
    adbPort = await freePort();
    adb("connect", adbd.serial);
  });
  afterAll(async () => {
    adb("kill-server");
    await adbd.close();
    bench.bed().client("rm", "--force", "--time", "0", BOARD);
  });

  const dictionary = (): string => `{% extends 'base-fastboot.jinja2' %}
{% set fastboot_serial_number = 'tcp:${SERIAL}' %}
{% set adb_serial_number = '${adbd.serial}' %}
{% set fastboot_sequence = ['reboot'] %}
`;
  afterEach(() => vi.unstubAllEnvs());
  const run = (device: string): Promise<BedRan> => {
    vi.stubEnv("HOME", bench.folder);
    vi.stubEnv("ANDROID_ADB_SERVER_PORT", String(adbPort));
    return runOnBed({ job: JOB, dictionary: device, dispatcher: { dispatcher_ip: "127.0.0.1" } });
  };

  const standFastboot = (): (() => string) => {
    vi.stubEnv("PATH", `${tools}:${process.env["PATH"]}`);
    return standIn(
      bench.folder,
      "fastboot",
      `case "$*" in
  "-s tcp:${SERIAL} reboot") echo "Rebooting OKAY [ 0.000s]" >&2 ;;
  "-s tcp:${SERIAL} flash boot "/*/boot.img) [ -f "$5" ] && echo "Finished. Total time: 0.002s" >&2 ;;
  *) exit 1 ;;
esac`,
    );
  };

  test("is rebooted, gets the overlay and runs its tests by adb alone", async () => {
    const calls = standFastboot();
    const ran = await run(dictionary());
    expect(ran.outcome.result, ran.text).toBe("pass");
    expect(ran.results).toContainEqual(
      expect.objectContaining({ definition: "0_smoke", case: "kernel", result: "pass" }),
    );
    expect(calls()).toMatch(/flash boot \S+\n-s tcp:\w+ reboot\n$/);
    expect(adbd.services).toContain("reboot:bootloader");
    expect(bench.bed().client("exec", BOARD, "ls", "/data/local/tmp")).not.toContain("tar.gz");
  });

  test("that takes no overlay is the lab's fault, in adb's words", async () => {
    standFastboot();
    bench.bed().client("exec", BOARD, "mv", "/data/local/tmp", "/data/local/other");
    const ran = await run(dictionary());
    bench.bed().client("exec", BOARD, "mv", "/data/local/other", "/data/local/tmp");
    expect(ran.outcome, ran.text).toMatchObject({ result: "fail", error_type: "Infrastructure" });
    expect(ran.outcome.error_msg).toMatch(/^'adb -s \S+ push \S+ \S+' failed: exit code 1: /);
  });
});

test.skipIf(lacks("fastboot"))("a board that never comes to fastboot is not found", async () => {
  const ran = await runOnBed({
    job: JOB,
    dictionary: `{% extends 'base-fastboot.jinja2' %}
{% set fastboot_auto_detection = true %}
{% set connection_command = 'cat' %}
{% set hard_reset_command = '/bin/true' %}
{% set power_off_command = '/bin/true' %}
{% set fastboot_sequence = ['reboot'] %}
`,
  });
  expect(ran.outcome, ran.text).toMatchObject({
    result: "fail",
    error_type: "FastbootDeviceNotFound",
    error_msg: "no fastboot device appeared within 30 s after the reset",
  });
});
