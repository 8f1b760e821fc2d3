import { readFileSync } from "node:fs";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { AuditEntry } from "#protocol/people.ts";
import { cli } from "../support/cli-run.ts";
import { listeningLab } from "../support/listening-lab.ts";

let lab: Awaited<ReturnType<typeof listeningLab>>;
const pumice = (...args: string[]) =>
  cli(args, { PUMICE_URL: lab.url, PUMICE_TOKEN: lab.adminToken });

beforeEach(async () => {
  lab = await listeningLab();
  await lab.addWorker();
  await lab.addDevice("bbb-07", { device_type: "beaglebone-black" });
});
afterEach(() => lab.close());

test("the commands of docs/people.md do what it says", async () => {
  const page = readFileSync(path.resolve(import.meta.dirname, "../../docs/people.md"), "utf8");
  await pumice("users", "add", "bob");
  const lines = [...page.matchAll(/^pumice (.*?)(?: +#.*)?$/gm)].map(([, line]) => line!);
  expect(lines.length).toBeGreaterThan(6);
  for (const line of lines) {
    const words = [...line.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, word]) => quoted ?? word!);
    const { code, said } = await pumice(...words);
    expect([line, code, said]).toEqual([line, 0, expect.any(String)]);
  }
  const { out } = await pumice("permissions");
  expect(out.split("\n").map((line) => line.trim().split(/ {2,}/))).toEqual([
    ["THING", "PERMISSION", "WHO"],
    ["lab", "submit", "everyone"],
    ["device-type beaglebone-black", "submit", "kernel"],
    ["device bbb-07", "change", "user:bob"],
    [""],
  ]);
});

test("users add says how to let somebody in, and that nobody sees anything yet", async () => {
  const { said } = await pumice("users", "add", "alice");
  expect(said).toContain("pumice tokens add alice");
  expect(said).toContain("pumice permissions add lab everyone submit");
  await pumice("permissions", "add", "lab", "everyone", "view");
  expect((await pumice("users", "add", "bob")).said).not.toContain("permissions add");
  expect((await pumice("users", "add", "bob")).said).toContain("there is a user bob already");
});

test("users lists them with their state and groups, and deactivates", async () => {
  await pumice("users", "add", "alice", "--email", "alice@example.org", "--admin");
  await pumice("groups", "add", "kernel", "--description", "who makes it");
  await pumice("groups", "join", "kernel", "alice");
  expect((await pumice("users")).out).toMatch(/^alice +admin +kernel +added +alice@example.org/m);
  expect((await pumice("groups")).out).toMatch(/^kernel +alice +who makes it/m);
  expect((await pumice("users", "deactivate", "alice")).said).toContain("is inactive");
  expect((await pumice("users")).out).toMatch(/^alice +inactive/m);
  await pumice("users", "activate", "alice");
  await pumice("users", "change", "alice", "--no-admin");
  await pumice("groups", "leave", "kernel", "alice");
  expect((await pumice("users")).out).toMatch(/^alice +active +added/m);
  expect((await pumice("groups", "remove", "kernel")).code).toBe(0);
});

test("what is mistyped is told before anything is asked", async () => {
  for (const [args, message] of [
    [["users", "change", "admin"], "say what to change"],
    [["users", "change", "admin", "--admin", "--no-admin"], "not both"],
    [["permissions", "add", "devise", "x", "y", "view"], "expected lab, device-type"],
    [["permissions", "add", "device", "everyone", "view"], "expected THING WHO PERMISSION"],
    [["audit", "--limit", "none"], "expected a number"],
    [["audit", "--kind", "usr"], 'kind: there is no "usr"; did you mean user?'],
    [["audit", "--kind", "nonsense"], 'no "nonsense"; expected job, device, worker'],
  ] as const) {
    const { code, said } = await pumice(...args);
    expect([code, said]).toEqual([2, expect.stringContaining(message)]);
  }
});

test("whoami says whom a token speaks for", async () => {
  expect((await pumice("whoami")).out).toBe("admin, an administrator\n");
});

test("audit tells who did what, as a table and as JSON", async () => {
  await pumice("users", "add", "alice");
  await pumice("users", "deactivate", "alice");
  const { out } = await pumice("audit", "--kind", "user");
  expect(out).toMatch(/admin +user alice +active: true → false/);
  const { entries } = JSON.parse(
    (await pumice("audit", "--kind", "user", "--name", "alice", "--limit", "1", "--json")).out,
  ) as { entries: AuditEntry[] };
  expect(entries).toMatchObject([{ who: "admin", changed: { active: ["true", "false"] } }]);
});
