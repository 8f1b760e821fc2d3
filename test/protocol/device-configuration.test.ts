import { existsSync, readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { readDeviceConfiguration } from "#protocol/device-configuration.ts";
import { root } from "../support/real-lab.ts";

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

const corpus = path.resolve(import.meta.dirname, "../../../shared/corpus/devices");
describe.skipIf(!existsSync(corpus))(
  "configurations that LAVA renders (skipped when ../shared is absent: they are not part of this repository)",
  () => {
    const files = existsSync(corpus) ? readdirSync(corpus).filter((f) => f.endsWith(".json")) : [];
    test.each(files)("%s is read", (name) => {
      const text = readFileSync(path.join(corpus, name), "utf8");
      expect(readDeviceConfiguration(text).problems).toEqual([]);
    });
  },
);
