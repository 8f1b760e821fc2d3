import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { cli } from "../support/cli-run.ts";
import { listeningLab } from "../support/listening-lab.ts";
import { root } from "../support/real-lab.ts";

const example = path.join(root, "docs/examples/lab");
let lab: Awaited<ReturnType<typeof listeningLab>>;
let dir: string;
const pumice = (...args: string[]) =>
  cli(args, { PUMICE_URL: lab.url, PUMICE_TOKEN: lab.adminToken });

beforeEach(async () => {
  lab = await listeningLab();
  dir = mkdtempSync(path.join(tmpdir(), "pumice-example-"));
});
afterEach(async () => {
  await lab.close();
  rmSync(dir, { recursive: true, force: true });
});

test("the example lab is applied as docs/lab-as-code.md says, a second time changes nothing", async () => {
  const applied = await pumice("apply", "-f", example, "--yes", "--write-tokens", dir);
  expect(applied).toMatchObject({ code: 0 });
  expect(applied.out).toContain("bbb-01");
  expect(readdirSync(dir)).toHaveLength(1);
  const again = await pumice("apply", "-f", example, "--prune", "--yes");
  expect(again).toMatchObject({ code: 0, out: "The lab is as the files say: nothing to do.\n" });
  const { out } = await pumice("devices", "config", "bbb-01", "--origins");
  expect(out).toMatch(/^character_delays\.boot: 30 {2}# our-bbb\.jinja2:3 boot_character_delay$/m);
});

test("what is exported of it has the same texts, and applies to no change", async () => {
  await pumice("apply", "-f", example, "--yes");
  const out = path.join(dir, "lab");
  expect(await pumice("export", out)).toMatchObject({ code: 0 });
  for (const name of [
    "devices/bbb-01.jinja2",
    "device-types/our-bbb.jinja2",
    "health-checks/our-bbb.yaml",
  ]) {
    expect(readFileSync(path.join(out, name), "utf8")).toBe(
      readFileSync(path.join(example, name), "utf8"),
    );
  }
  expect((await pumice("apply", "-f", out, "--prune", "--yes")).out).toContain("nothing to do");
});

test("every dictionary, template and health check of it is well", async () => {
  const files = ["devices", "device-types", "health-checks"].flatMap((folder) =>
    readdirSync(path.join(example, folder)).map((name) => path.join(example, folder, name)),
  );
  const args = ["check", "--strict", "--templates", path.join(example, "device-types"), ...files];
  expect(await cli(args)).toMatchObject({ code: 0, out: "" });
});
