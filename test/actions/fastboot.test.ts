import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { runOnBed, type BedRan } from "../support/run-on-bed.ts";
import { standIn, useTools } from "../support/stand-in-tool.ts";

/*
 * Fastboot and adb of a board on the USB, which can't be had here: stand-ins that take what the real tools take, say what
 * they say and end as they do. The real fastboot client is in test/beds/fastboot.bed.test.ts.
 */

const SERIAL = "c2e02318";
let folder: string;
const roots = { PUMICE_SYS: process.env["PUMICE_SYS"] };

beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), "pumice-fastboot-"));
  process.env["PUMICE_SYS"] = path.join(folder, "sys");
  writeFileSync(path.join(folder, "boot.img"), "boot");
  writeFileSync(path.join(folder, "rootfs.img"), "rootfs");
  standIn(folder, "reset", "exit 0");
  standIn(folder, "power-off", "exit 0");
  plugIn();
});
afterEach(() => {
  if (roots.PUMICE_SYS === undefined) delete process.env["PUMICE_SYS"];
  else process.env["PUMICE_SYS"] = roots.PUMICE_SYS;
  rmSync(folder, { recursive: true, force: true });
});

/** The board on the USB. */
function plugIn(): void {
  const at = path.join(folder, "sys/bus/usb/devices/1-1");
  mkdirSync(at, { recursive: true });
  const attributes = {
    idVendor: "18d1",
    idProduct: "d00d",
    serial: SERIAL,
    busnum: "1",
    devnum: "9",
  };
  for (const [name, value] of Object.entries(attributes)) {
    writeFileSync(path.join(at, name), `${value}\n`);
  }
}

interface Fastboot {
  /** What `fastboot devices` lists. */
  readonly devices?: readonly string[];
  /** Shell, run for a flash of the partition `rootfs`. */
  readonly rootfs?: string;
}

/** The grammar of fastboot's command line as far as it is used here; unknown words end with its exit code 1. */
function fastboot({ devices = [SERIAL], rootfs = "" }: Fastboot = {}): () => string {
  const listed = devices.map((serial) => `printf '%s\\tfastboot\\n' ${serial}`).join("; ");
  return standIn(
    folder,
    "fastboot",
    `
[ "$1" = devices ] && [ $# = 1 ] && { ${listed || ":"}; exit 0; }
[ "$1" = -s ] || { echo "fastboot: usage: no serial" >&2; exit 1; }
[ "$2" = ${SERIAL} ] || { echo "< waiting for $2 >" >&2; exec sleep 1000; }
shift 2
case "$1" in
  flash)
    [ -f "$3" ] || { echo "fastboot: error: cannot load '$3': No such file or directory" >&2; exit 1; }
    if [ "$2" = rootfs ]; then :; ${rootfs}
    fi
    echo "Sending '$2' (1 KB) OKAY [ 0.001s]" >&2; echo "Finished. Total time: 0.002s" >&2 ;;
  boot) [ -f "$2" ] || exit 1; echo "Booting OKAY [ 0.001s]" >&2 ;;
  reboot|reboot-bootloader|reboot-fastboot|getvar) echo "Rebooting OKAY [ 0.000s]" >&2 ;;
  *) echo "fastboot: usage: unknown command $1" >&2; exit 1 ;;
esac`,
  );
}

const JOB = `
device_type: my-fastboot-board
job_name: flash
visibility: public
timeouts:
  job: {minutes: 5}
  action: {minutes: 1}
actions:
  - deploy:
      to: fastboot
      images:
        boot: {url: "file://FOLDER/boot.img", reboot: fastboot-reboot-bootloader}
        rootfs: {url: "file://FOLDER/rootfs.img", reboot: hard-reset}
`;

const dictionary = (lines = ""): string => `{% extends 'base-fastboot.jinja2' %}
{% set fastboot_serial_number = '${SERIAL}' %}
{% set adb_serial_number = fastboot_serial_number %}
{% set fastboot_sequence = ['reboot'] %}
{% set connection_command = 'cat' %}
{% set hard_reset_command = 'reset' %}
{% set power_off_command = 'power-off' %}
{% set fastboot_options = ['-S', '256M'] %}
${lines}`;

const run = (job = JOB, device = dictionary()): Promise<BedRan> =>
  useTools(folder, () =>
    runOnBed({ job: job.replaceAll("FOLDER", folder), dictionary: device, jobId: 7 }),
  );

test("images are flashed in the device's order, with its options and what reboots in between", async () => {
  const calls = fastboot();
  const order = "{% set flash_cmds_order = ['rootfs'] %}";
  const ran = await run(JOB, dictionary(order));
  expect(ran.outcome.result, ran.text).toBe("pass");
  expect(calls().replace(/\/\S+\//g, "")).toBe(
    [
      `-s ${SERIAL} flash rootfs rootfs.img -S 256M`,
      `-s ${SERIAL} flash boot boot.img -S 256M`,
      `-s ${SERIAL} reboot-bootloader -S 256M`,
      "",
    ].join("\n"),
  );
  const flashed = ran.results.filter((r) => r["case"] === "fastboot-flash-action");
  expect(flashed.map((r) => r["extra"])).toEqual([{ label: "rootfs" }, { label: "boot" }]);
  expect(ran.results.filter((r) => r["case"] === "pdu-reboot")).toHaveLength(2);
});

test("what the board refuses is the lab's fault, in its words", async () => {
  fastboot({ rootfs: `echo "FAILED (remote: 'partition is locked')" >&2; exit 1` });
  const ran = await run();
  expect(ran.outcome).toMatchObject({ result: "fail", error_type: "Infrastructure" });
  expect(ran.outcome.error_msg).toMatch(
    /flash rootfs .* failed: exit code 1; it said last: FAILED \(remote: 'partition is locked'\)$/,
  );
});

test("a flash that takes too long ends with the board powered off, before it is tried again", async () => {
  fastboot({ rootfs: "exec sleep 1000" });
  const job = JOB.replace(
    "to: fastboot",
    "timeouts: {fastboot-flash-action: {seconds: 1}}\n      to: fastboot",
  );
  const off = standIn(folder, "power-off", "exit 0");
  const ran = await run(job);
  expect(ran.outcome).toMatchObject({ error_type: "Infrastructure" });
  expect(ran.outcome.error_msg).toBe("fastboot-flash-action timed out after 1 seconds");
  expect(ran.text).toContain("it took too long: powering off");
  // Once for this, once at the job's end.
  expect(off()).toBe("\n\n");
});

test("a board that is not on the USB is waited for, and its absence is the lab's fault", async () => {
  const calls = fastboot();
  rmSync(path.join(folder, "sys"), { recursive: true });
  const job = JOB.replace(
    "to: fastboot",
    "timeouts: {wait-device-boardid: {seconds: 1}}\n      to: fastboot",
  );
  const ran = await run(job);
  expect(ran.outcome.error_msg).toBe("wait-device-boardid timed out after 1 seconds");
  expect(ran.outcome.error_type).toBe("Infrastructure");
  expect(calls()).toBe("");
});

const detected = `{% extends 'base-fastboot.jinja2' %}
{% set fastboot_auto_detection = true %}
{% set fastboot_sequence = ['reboot'] %}
{% set connection_command = 'cat' %}
{% set hard_reset_command = 'reset' %}
`;

test("the only fastboot device that there is after the reset is the board", async () => {
  const calls = fastboot();
  const ran = await run(JOB, detected);
  expect(ran.outcome.result, ran.text).toBe("pass");
  expect(calls()).toMatch(/^devices\n-s c2e02318 flash boot /);
});

test("of several fastboot devices none is guessed", async () => {
  fastboot({ devices: ["one", "two"] });
  const ran = await run(JOB, detected);
  expect(ran.outcome).toMatchObject({ error_type: "Job" });
  expect(ran.outcome.error_msg).toContain("Multiple fastboot devices found: one, two");
});

test("a device without a serial number is refused before anything is touched", async () => {
  const calls = fastboot();
  const ran = await run(JOB, detected.replace("true", "false"));
  expect(ran.outcome.error_msg).toContain("fastboot_serial_number is 0000000000");
  expect(calls()).toBe("");
});

const noReset = dictionary()
  .replace("{% set hard_reset_command = 'reset' %}\n", "")
  .replace("{% set connection_command = 'cat' %}\n", "");

/** adb of a board that runs Android, or of none. */
const adb = (isThere: boolean): (() => string) =>
  standIn(
    folder,
    "adb",
    `
[ "$1" = devices ] && { echo "List of devices attached"; ${isThere ? `printf '%s\\tdevice\\n' ${SERIAL}` : ":"}; exit 0; }
[ "$1" = -s ] && [ "$2" = ${SERIAL} ] || { echo "adb: device '$2' not found" >&2; exit 1; }
case "$3" in
  reboot-bootloader|wait-for-device) exit 0 ;;
  shell) printf 'board:/ $ '; exec cat ;;
  *) exit 1 ;;
esac`,
  );

test("a board that runs Android is asked to go to fastboot, and its shell is adb's", async () => {
  const calls = fastboot();
  const adbCalls = adb(true);
  const boots = `  - boot: {method: fastboot, prompts: ['board:/ \\$ ']}
  - test: {interactive: [{name: shell, prompts: ['board:/ \\$ '], script: [{command: null}]}]}
`;
  const job = JOB.replace("hard-reset", "fastboot-reboot") + boots;
  const ran = await run(job, noReset);
  expect(ran.outcome.result, ran.text).toBe("pass");
  expect(adbCalls()).toBe(
    [
      "devices",
      `-s ${SERIAL} reboot-bootloader`,
      "devices",
      `-s ${SERIAL} reboot-bootloader`,
      `-s ${SERIAL} wait-for-device`,
      `-s ${SERIAL} shell`,
      "",
    ].join("\n"),
  );
  expect(calls()).toContain(`-s ${SERIAL} reboot -S 256M\n`);
});

test("a board that adb does not know is told by fastboot itself", async () => {
  const calls = fastboot();
  adb(false);
  const ran = await run(JOB.replace("hard-reset", "fastboot-reboot"), noReset);
  expect(ran.outcome.result, ran.text).toBe("pass");
  expect(calls()).toMatch(/^-s c2e02318 reboot-bootloader -S 256M\n/);
});

test("in a container fastboot sees the image and the board's node, and nothing else", async () => {
  const calls = standIn(
    folder,
    "docker",
    `
case "$1" in
  image) echo amd64; exit 0 ;;
  run) exit 0 ;;
  *) exit 1 ;;
esac`,
  );
  const docker = "docker: {image: adb-fastboot, local: true}\n      to: fastboot";
  const ran = await run(JOB.replace("to: fastboot", docker));
  expect(ran.outcome.result, ran.text).toBe("pass");
  const flashes = calls()
    .split("\n")
    .filter((line) => line.includes(" flash "));
  expect(flashes).toHaveLength(2);
  expect(flashes[0]).toMatch(
    /^run --rm --init --name=lava-7-1\.\d+\.3-[0-9a-f]{12} --label=pumice.job=\S+ --mount=type=bind,source=(\S+),target=\1,readonly --device=\/dev\/bus\/usb\/001\/009 adb-fastboot fastboot -s c2e02318 flash boot \1\/boot\.img -S 256M$/,
  );
});

test.each([
  ["-s other getvar all", "no serial number"],
  ["flash boot /etc/passwd", "no path"],
])("a job's own command '%s' is refused before anything is touched", async (command, expected) => {
  const calls = fastboot();
  const ran = await run(`${JOB}  - boot: {method: fastboot, commands: ['${command}']}\n`);
  expect(ran.outcome).toMatchObject({ error_type: "Job" });
  expect(ran.outcome.error_msg).toContain(expected);
  expect(calls()).toBe("");
});
