import { spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { root } from "../support/real-lab.ts";

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(path.join(tmpdir(), "pumice-boundaries-"));
  copyFileSync(path.join(root, ".oxlintrc.json"), path.join(dir, ".oxlintrc.json"));
});
afterAll(() => rmSync(dir, { recursive: true }));

/** Whether the linter lets a file import something. */
function mayImport(file: string, imported: string): boolean {
  const full = path.join(dir, file);
  mkdirSync(path.dirname(full), { recursive: true });
  writeFileSync(full, `import * as it from ${JSON.stringify(imported)};\nexport const x = it;\n`);
  const linter = path.join(root, "node_modules/.bin/oxlint");
  const { stdout } = spawnSync(process.execPath, [linter, file], { cwd: dir, encoding: "utf8" });
  return !stdout.includes("no-restricted-imports");
}

test.each([
  ["control-plane/protocol/a.ts", "../domain/jobs.ts", false],
  ["control-plane/protocol/a.ts", "valibot", true],
  ["control-plane/ports/a.ts", "../domain/jobs.ts", false],
  ["control-plane/ports/a.ts", "#protocol/api.ts", true],
  ["control-plane/domain/a.ts", "../http/app.ts", false],
  ["control-plane/domain/a.ts", "../engines/embedded/table.ts", false],
  ["control-plane/domain/a.ts", "node:fs", false],
  ["control-plane/domain/a.ts", "../serve.ts", false],
  ["control-plane/domain/a.ts", "../ports/table.ts", true],
  ["control-plane/domain/a.ts", "../templates/render-device.ts", true],
  ["control-plane/domain/a.ts", "../stock-templates.ts", false],
  ["control-plane/templates/a.ts", "../domain/jobs.ts", false],
  ["control-plane/engines/embedded/a.ts", "../aws/table.ts", false],
  ["control-plane/engines/embedded/a.ts", "../../domain/jobs.ts", false],
  ["control-plane/engines/aws/a.ts", "../embedded/table.ts", false],
  ["control-plane/engines/aws/a.ts", "../../domain/jobs.ts", false],
  ["control-plane/engines/aws/a.ts", "../../ports/table.ts", true],
  ["control-plane/http/a.ts", "../engines/embedded/table.ts", false],
  ["control-plane/http/a.ts", "../domain/jobs.ts", true],
  ["control-plane/ui/a.tsx", "../engines/embedded/table.ts", false],
  ["control-plane/ui/client/a.ts", "../../domain/jobs.ts", false],
  ["control-plane/cli/a.ts", "../domain/jobs.ts", false],
  ["control-plane/cli/a.ts", "../serve.ts", true],
  ["worker/pipeline/a.ts", "../../control-plane/domain/jobs.ts", false],
  ["worker/pipeline/a.ts", "../actions/boot/qemu.ts", false],
  ["worker/pipeline/a.ts", "node:child_process", false],
  ["worker/actions/boot/a.ts", "../../agent/agent.ts", false],
  ["worker/actions/boot/a.ts", "../../console/console.ts", true],
  ["worker/actions/boot/a.ts", "../deploy/tmpfs.ts", false],
  ["worker/actions/test/a.ts", "../boot/login.ts", false],
  ["worker/actions/deploy/a.ts", "../../../control-plane/domain/jobs.ts", false],
  ["worker/agent/a.ts", "../pipeline/plan.ts", false],
  ["worker/agent/a.ts", "../../control-plane/http/app.ts", false],
  ["worker/agent/a.ts", "../host/spool.ts", true],
  ["worker/host/a.ts", "../agent/agent.ts", false],
  ["worker/a.ts", "../control-plane/domain/jobs.ts", false],
  ["worker/a.ts", "#protocol/api.ts", true],
])("%s importing %s: %s", (file, imported, allowed) => {
  expect(mayImport(file, imported)).toBe(allowed);
});
