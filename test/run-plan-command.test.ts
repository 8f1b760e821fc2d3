import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { methodPage } from "./support/method-page.ts";
import { ticketFor } from "./support/run-on-bed.ts";

const main = path.resolve(import.meta.dirname, "../worker/main.ts");
let dir: string;
beforeAll(() => {
  dir = mkdtempSync(path.join(tmpdir(), "pumice-plan-"));
  const page = methodPage("boot-u-boot");
  writeFileSync(path.join(dir, "job.yaml"), page.job);
  writeFileSync(path.join(dir, "board.jinja2"), page.dictionary);
  writeFileSync(path.join(dir, "board.yaml"), ticketFor(page).device);
});
afterAll(() => rmSync(dir, { recursive: true }));

function run(...args: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [main, "run", ...args], {
    cwd: dir,
    encoding: "utf8",
  });
  return { status, stdout, stderr };
}

describe("pumice-worker run --plan", () => {
  test("prints what a job does on a dictionary or on its configuration, and touches nothing", () => {
    const { status, stdout } = run("--plan", "job.yaml", "--device", "board.jinja2");
    expect(status).toBe(0);
    expect(stdout).toMatch(/^1\ttftp-deploy {2}\[deploy:tftp\] {2}\d+s\n/);
    expect(stdout).toMatch(/\n2\.4\.1\.1\t {6}pdu-reboot {2}30s\n/);
    expect(run("--plan", "job.yaml", "--device", "board.yaml").stdout).toBe(stdout);
  });

  test("prints an object a line for programs", () => {
    const { stdout } = run("--plan", "--json", "job.yaml", "--device", "board.jinja2");
    const [first, ...others] = stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as object);
    expect(first).toEqual({
      level: "1",
      name: "tftp-deploy",
      attempts: 1,
      timeout_seconds: expect.any(Number),
    });
    expect(others.at(-1)).toMatchObject({ name: "read-feedback" });
  });

  test("says who could not do what on the device, and exits 1", () => {
    writeFileSync(path.join(dir, "bare.jinja2"), "{% extends 'qemu.jinja2' %}\n");
    const { status, stderr } = run("--plan", "job.yaml", "--device", "bare.jinja2");
    expect(status).toBe(1);
    expect(stderr).toContain(
      "actions[0].deploy can't be done on this device: tftp: the device has no",
    );
  });

  test("refuses a dictionary that can't be rendered by its line, and exits 2", () => {
    writeFileSync(path.join(dir, "wrong.jinja2"), "{% extends 'qemu.jinja2' %}\n{% set x = %}\n");
    const { status, stderr } = run("--plan", "job.yaml", "--device", "wrong.jinja2");
    expect(status).toBe(2);
    expect(stderr).toContain("wrong.jinja2:2:");
    expect(run("--plan", "job.yaml", "--device", "nothing.jinja2").status).toBe(2);
  });
});

test("pumice-worker run refuses a job whose devices talk through a control plane", () => {
  const { job } = methodPage("boot-u-boot");
  const roles = "{one: {device_type: bbb, count: 2}}";
  const multinode = job
    .replace(/^device_type: .*$/m, `protocols: {lava-multinode: {roles: ${roles}}}`)
    .replace(/^context: .*$/m, "");
  writeFileSync(path.join(dir, "multinode.yaml"), multinode);
  const { status, stderr } = run("multinode.yaml", "--device", "board.jinja2");
  expect(status).toBe(2);
  expect(stderr).toContain("multinode.yaml: a multinode job needs a control plane");
});
