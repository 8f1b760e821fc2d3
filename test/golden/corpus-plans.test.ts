import { existsSync, readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { readDeviceConfiguration } from "#protocol/device-configuration.ts";
import { readRunnerJob, type JobDefinition } from "#protocol/job-definition.ts";
import { stockTemplates } from "../../control-plane/stock-templates.ts";
import { renderDevice } from "../../control-plane/templates/render-device.ts";
import { checkPlan } from "../../worker/pipeline/check-plan.ts";
import { describePlan } from "../../worker/pipeline/describe-plan.ts";
import { plan } from "../../worker/run-ticket.ts";

/*
 * Every job of the corpus on a device of its own type, with the variables that an admin would set. plans.test.ts compares
 * those that LAVA's plans are known of.
 */

const jobs = path.resolve(import.meta.dirname, "../../../shared/corpus/jobs");
const isThere = existsSync(jobs);
if (!isThere) console.warn(`skipped: there are no jobs at ${jobs}`);
const names = isThere
  ? readdirSync(jobs)
      .filter((file) => file.endsWith(".yaml"))
      .map((file) => file.replace(/\.yaml$/, ""))
  : [];

/** Labs call some device types by names of their own. */
const TYPES: Readonly<Record<string, string>> = {
  bbb: "beaglebone-black",
  "grub-x86": "upsquare",
  mps2plus: "mps",
  qemu_foo: "qemu",
  rzn1: "rzn1d",
  tk1: "jetson-tk1",
};

/** What a job needs beyond its type and the rack's commands: another type, or lines of its dictionary. */
const DEVICES: Readonly<
  Record<string, { type?: string; set?: Readonly<Record<string, unknown>> }>
> = {
  "doc__v2__examples__test-jobs__hi6220-hikey-bl": { set: recovery() },
  "lava_dispatcher__b2260-flasher": { set: { flasher_deploy_commands: ["flash {IMAGE}"] } },
  "lava_dispatcher__bbb-ssh-guest": { type: "beaglebone-black" },
  "lava_dispatcher__cubietruck-removable": { set: sanDisk() },
  "lava_dispatcher__cubietruck-removable-with-writer": { set: sanDisk() },
  lava_dispatcher__depthcharge: { type: "rk3288-veyron-jaq" },
  lava_dispatcher__depthcharge_commands_override: { type: "rk3288-veyron-jaq" },
  "lava_dispatcher__grub-ramdisk-x86": { type: "upsquare" },
  "lava_dispatcher__hi6220-recovery": { set: recovery() },
  lava_dispatcher__musca: { set: { board_id: "0318" } },
  "lava_dispatcher__musca-s": { set: { board_id: "0318" } },
  "lava_dispatcher__n1sdp-fw-grub-ramdisk": { set: { flasher_deploy_commands: ["flash {IMAGE}"] } },
  "lava_dispatcher__rzn1d-dfu": {
    set: {
      user_commands: { set_boot_to_nand: { do: "relay 1" }, set_boot_to_qspi: { do: "relay 0" } },
    },
  },
  "lava_dispatcher__x15-recovery": { set: recovery() },
  "lava_dispatcher__zephyr-nitrogen-cmsis-test-kernel-common": { type: "frdm-k64f" },
};

/** Jobs that can't be run as they stand, and why. */
const REFUSED: Readonly<Record<string, RegExp>> = {
  // No job but a part of one.
  "doc__v2__examples__device-configurations__hi6220-hikey": /"job_name\\" is missing/,
  // Of several roles, or a guest's on its host's type: the control plane makes a job for each.
  "lava_scheduler_app__bbb-qemu-multinode": /no boot method qemu/,
  "lava_scheduler_app__qemu-ssh-guest": /no deploy method ssh/,
  "lava_scheduler_app__qemu-ssh-guest-1": /no deploy method ssh/,
  "lava_scheduler_app__qemu-ssh-guest-2": /no deploy method ssh/,
  // Their first test comes before any boot.
  "lava_scheduler_app__qemu-ssh-parent": /needs console/,
  "lava_dispatcher__hi6220-recovery": /needs console/,
  "lava_dispatcher__x15-recovery": /needs console/,
};

function recovery(): Record<string, unknown> {
  return { recovery_mode_command: ["switch 1"], recovery_exit_command: ["switch 0"] };
}

function sanDisk(): Record<string, unknown> {
  return {
    usb_label: "SanDisk_Ultra",
    usb_uuid: "usb-SanDisk_Ultra_20060775320F43006019-0:0",
    usb_device_id: 0,
  };
}

function deviceText(name: string, definition: JobDefinition): string {
  const { roles } = (definition.protocols?.["lava-multinode"] ?? {}) as { roles?: object };
  const types: unknown[] = Object.values(roles ?? {}).map(
    (role: Readonly<Record<string, unknown>> | string) =>
      typeof role === "object" ? role["device_type"] : undefined,
  );
  const named = String(definition.device_type ?? types.find(Boolean) ?? "qemu");
  const { type = TYPES[named] ?? named, set = {} } = DEVICES[name] ?? {};
  const variables = {
    connection_command: "telnet rack.example.com 7001",
    hard_reset_command: "reset",
    power_on_command: "on",
    power_off_command: "off",
    ...set,
  };
  const lines = Object.entries(variables).map(
    ([key, value]) => `{% set ${key} = ${JSON.stringify(value)} %}`,
  );
  return renderDevice({
    name: "dut.jinja2",
    dictionary: [`{% extends '${type}.jinja2' %}`, ...lines, ""].join("\n"),
    loader: stockTemplates(),
    context: definition.context ?? {},
  }).text;
}

function planOf(name: string): string {
  const { definition, problems } = readRunnerJob(
    readFileSync(path.join(jobs, `${name}.yaml`), "utf8"),
  );
  if (!definition) throw new Error(JSON.stringify(problems));
  const text = deviceText(name, definition);
  const { configuration } = readDeviceConfiguration(text);
  if (!configuration) throw new Error(`no device configuration: ${text}`);
  const { grub } = (configuration.actions.boot.methods ?? {}) as Record<string, object | undefined>;
  // Sets of commands that no device type has: the lab of these jobs had its own.
  if (grub) Object.assign(grub, { "centos-installer": BOOT, "centos-installed": BOOT });
  const actions = plan({
    jobId: 4212,
    definition,
    device: configuration,
    deviceHostname: "dut",
    deviceType: definition.device_type ?? "qemu",
    dispatcher: {},
    envDut: {},
    scratch: "/nonexistent",
  });
  checkPlan(actions);
  return describePlan(actions);
}

const BOOT = { commands: ["boot"] };

test.skipIf(!isThere).each(names)("%s has a plan on a device of its type", (name) => {
  const refused = REFUSED[name];
  if (refused) return expect(() => planOf(name)).toThrow(refused);
  expect(planOf(name)).toMatch(/^1\t.*\n(.*\n)*\d+\tfinalize /);
});

/** For these LAVA's plan is not known; what they do is. */
test.skipIf(!isThere).each([
  ["grub-centos-installed-x86", "boot:grub"],
  ["grub-centos-installer-x86", "deploy:tftp boot:grub boot:grub test:definition"],
  ["grub-installed-x86", "boot:grub"],
  ["grub-installer-x86", "deploy:tftp boot:grub boot:grub test:definition"],
  ["grub-ramdisk-x86", "deploy:tftp boot:grub test:definition"],
  [
    "rzn1d-dfu",
    "deploy:tmpfs command boot:dfu command deploy:overlay boot:bootloader boot:minimal test:definition",
  ],
  ["tk1-nfs", "deploy:tftp boot:u-boot test:definition"],
  ["docker-test-multinode", "test:docker test:docker"],
  ["kvm-multinode-client", "deploy:tmpfs boot:qemu test:definition"],
])("%s does %s", (name, blocks) => {
  const found = [...planOf(`lava_dispatcher__${name}`).matchAll(/^\d+\t\S+\s+\[(\S+)\]/gm)];
  expect(found.map(([, block]) => block).join(" ")).toBe(`${blocks} finalize`);
});

test.skipIf(!isThere)("an installer is waited for, switched off, and its system booted", () => {
  const text = planOf("lava_dispatcher__grub-centos-installer-x86");
  const [, installer = "", installed = ""] = text.split(/^\d+\t(?=grub-main-action)/m);
  expect(installer).toMatch(/bootloader-commands .*\n.*installer-wait .*\n.*power-off /);
  expect(installer).not.toContain("login");
  expect(installed).toMatch(/auto-login-action[^]*expect-shell-connection/);
});
