import { existsSync, readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { readDeviceConfiguration } from "#protocol/device-configuration.ts";
import { root } from "../support/real-lab.ts";
import { lacking } from "../support/lacking.ts";

test("the example device's configuration is read", () => {
  const text = readFileSync(path.join(root, "docs/examples/qemu-device.yaml"), "utf8");
  const { configuration, problems } = readDeviceConfiguration(text);
  expect(problems).toEqual([]);
  expect(configuration?.available_architectures).toContain("amd64");
});

test("a configuration without what every device has is refused, with the keys named", () => {
  const { problems } = readDeviceConfiguration("actions:\n  deploy: {methods: {}}\n");
  const places = problems.map(({ path: where, line }) => [where, line]);
  expect(places).toContainEqual(["constants", 1]);
  expect(places).toContainEqual(["actions.boot", 1]);
});

/** The example device with more lines. */
const withLines = (...lines: string[]): string =>
  [
    "constants: {}",
    "parameters: {}",
    "actions: {deploy: {methods: {}}, boot: {methods: {}}}",
    "timeouts: {}",
    ...lines,
  ].join("\n");

test.each([
  ["hard_rest: pdu", "hard_rest", /unknown key "hard_rest"/],
  ["usb_vendor_id: '04031'", "usb_vendor_id", /exactly 4/],
  ["commands: {power_on: 7}", "commands.power_on", /mapping, a list or text/],
])("a server refuses what a worker lets pass: %s", (line, where, message) => {
  const { problems, strict } = readDeviceConfiguration(withLines(line));
  expect(problems).toEqual([]);
  expect(strict).toMatchObject([{ path: where, line: 5, message: expect.stringMatching(message) }]);
});

test.each([
  "{actions: {Boot_Now: {minutes: 1}}}",
  "{actions: {boot: {minutes: 1.5}}}",
  "{connections: {serial: {}}}",
  "{other: {}}",
])("a server refuses timeouts such as %s", (timeouts) => {
  const text = withLines().replace("timeouts: {}", `timeouts: ${timeouts}`);
  const { problems, strict } = readDeviceConfiguration(text);
  expect(problems.length + strict.length).toBeGreaterThan(0);
});

test("a device reached by ssh has no power commands for a server", () => {
  const ssh = withLines("commands: {power_off: pdu}").replace(
    "deploy: {methods: {}}",
    "deploy: {methods: {ssh: {host: dut.test}}}",
  );
  expect(readDeviceConfiguration(ssh).strict).toMatchObject([
    { message: expect.stringMatching(/reached by ssh/) },
  ]);
});

const corpus = path.resolve(import.meta.dirname, "../../../shared/corpus/devices");
describe.skipIf(lacking(!existsSync(corpus), "the corpus of devices is not there"))(
  "configurations that LAVA renders (skipped when ../shared is absent: they are not part of this repository)",
  () => {
    const files = existsSync(corpus) ? readdirSync(corpus).filter((f) => f.endsWith(".json")) : [];
    test.each(files)("%s is read", (name) => {
      const text = readFileSync(path.join(corpus, name), "utf8");
      const { problems, strict } = readDeviceConfiguration(text);
      expect([...problems, ...strict]).toEqual([]);
    });
  },
);
