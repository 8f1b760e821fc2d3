import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { expect, test } from "vitest";
import { initSystemOf } from "../../worker/install/service.ts";

test.each([
  ["run/systemd/system", "systemd"],
  ["sbin/openrc-run", "openrc"],
  ["etc/runit", "runit"],
  ["usr/lib/systemd/systemd", "systemd"],
  ["etc", undefined],
])("a machine with /%s has its services run by %s", (name, init) => {
  const root = mkdtempSync(path.join(tmpdir(), "service-"));
  try {
    mkdirSync(path.join(root, name), { recursive: true });
    expect(initSystemOf(root)).toBe(init);
  } finally {
    rmSync(root, { recursive: true });
  }
});

test("this machine is looked at from its own root, wherever the command is run", () => {
  expect(initSystemOf("")).toBe(initSystemOf("/"));
});
