import { expect, test } from "vitest";
import { METHODS } from "#protocol/job-strategies.ts";
import { readDeviceConfiguration } from "#protocol/device-configuration.ts";
import { readJobDefinition } from "#protocol/job-definition.ts";
import { checkJobFits } from "../../control-plane/domain/check-job-fits.ts";
import { aDeviceConfiguration, aJob } from "../support/builders.ts";

function misfits(job: string, device = aDeviceConfiguration()) {
  const { definition, problems } = readJobDefinition(job);
  const { configuration } = readDeviceConfiguration(device);
  if (!definition || !configuration) throw new Error(`not readable: ${JSON.stringify(problems)}`);
  return checkJobFits(definition, configuration).map(
    ({ path, message }) => `${path.join(".")}: ${message}`,
  );
}

test("a QEMU job fits a QEMU device", () => {
  expect(misfits(aJob())).toEqual([]);
});

test.each([
  [
    "a deploy method that the runner can't do",
    aJob().replace("to: tmpfs", "to: floppy"),
    `actions.0.deploy.to: there is no deploy method "floppy"; expected one of ${METHODS.deploy.join(", ")}`,
  ],
  [
    "a boot method that the runner can't do",
    aJob().replace("method: qemu", "method: kick"),
    `actions.1.boot.method: there is no boot method "kick"; expected one of ${METHODS.boot.join(", ")}`,
  ],
  [
    "a method named like a property of every object",
    aJob().replace("method: qemu", "method: constructor"),
    `actions.1.boot.method: there is no boot method "constructor"; expected one of ${METHODS.boot.join(", ")}`,
  ],
  [
    "an architecture that the device lacks",
    aJob().replace("arch: amd64", "arch: arm64"),
    'context.arch: the device has no architecture "arm64"; expected one of amd64',
  ],
  [
    "QEMU of no architecture",
    aJob().replace("context: {arch: amd64}\n", ""),
    "actions.1.boot.method: boot method qemu needs context.arch: expected one of amd64",
  ],
])("a job that asks for %s does not, and is told what is there", (_, job, expected) => {
  expect(misfits(job)).toEqual([expected]);
});

test("a device that lacks the method is named with the methods that it has", () => {
  const device = aDeviceConfiguration().replace("      image:\n", "      tftp:\n");
  expect(misfits(aJob(), device)).toEqual([
    "actions.0.deploy.to: the device has no actions.deploy.methods.image (actions.deploy.methods has tftp)",
  ]);
});
