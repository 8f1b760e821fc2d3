import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { aDeviceConfiguration } from "../support/builders.ts";
import { cli } from "../support/cli-run.ts";
import { listeningLab } from "../support/listening-lab.ts";

let lab: Awaited<ReturnType<typeof listeningLab>>;
let dir: string;
const pumice = (...args: string[]) =>
  cli(args, { PUMICE_URL: lab.url, PUMICE_TOKEN: lab.adminToken });
const file = (text: string): string => {
  const where = path.join(dir, "device.yaml");
  writeFileSync(where, text);
  return where;
};

beforeEach(async () => {
  lab = await listeningLab();
  dir = mkdtempSync(path.join(tmpdir(), "pumice-cli-"));
});
afterEach(async () => {
  await lab.close();
  rmSync(dir, { recursive: true, force: true });
});

test("workers add prints the token once, and the worker can use it", async () => {
  const { code, out, said } = await pumice("workers", "add", "bench");
  expect(code).toBe(0);
  expect(said).toContain("only time");
  await lab.sync(out.trim());
  expect((await pumice("workers")).out).toMatch(/^bench +Online +Active /m);
});

test("workers add --write-token writes a file that only its owner may read", async () => {
  const token = path.join(dir, "token");
  writeFileSync(token, "old\n", { mode: 0o644 });
  const { out, said } = await pumice("workers", "add", "bench", "--write-token", token);
  expect(out).toBe("");
  expect(said).toBe(`The token of bench is in ${token}\n`);
  expect(statSync(token).mode & 0o777).toBe(0o600);
  await lab.sync(readFileSync(token, "utf8").trim());
});

test("a worker that is refused leaves the token file as it was", async () => {
  await lab.addWorker("bench");
  const token = path.join(dir, "token");
  writeFileSync(token, "old\n");
  const { code, said } = await pumice("workers", "add", "bench", "--write-token", token);
  expect(code).toBe(2);
  expect(said).toContain("there is a worker bench already");
  expect(readFileSync(token, "utf8")).toBe("old\n");
  expect(await readdir(dir)).toEqual(["token"]);
});

test("a token file that can't be written is found out before the worker is made", async () => {
  const token = path.join(dir, "none/token");
  expect(await pumice("workers", "add", "bench", "--write-token", token)).toMatchObject({
    code: 2,
  });
  expect((await pumice("workers")).out).not.toContain("bench");
});

test("a device is added, listed, put into maintenance and removed, its worker after it", async () => {
  await lab.addWorker("bench");
  const config = file(aDeviceConfiguration());
  const where = ["--type", "qemu", "--worker", "bench", "--config", config];
  const added = await pumice("devices", "add", "qemu-01", ...where, "--tags", "kvm,fast");
  expect(added).toMatchObject({ code: 0, out: "" });
  expect((await pumice("devices")).out).toMatch(
    /^qemu-01 +qemu +bench +Idle .* fast, kvm|kvm, fast$/m,
  );
  expect((await pumice("device-types")).out).toMatch(/^qemu +1 +0$/m);

  expect(
    await pumice("devices", "health", "qemu-01", "Maintenance", "--reason", "new fan"),
  ).toMatchObject({ code: 0 });
  const { devices } = JSON.parse((await pumice("devices", "--json")).out) as {
    devices: { health: string }[];
  };
  expect(devices).toMatchObject([{ hostname: "qemu-01", health: "Maintenance" }]);
  expect((await pumice("devices", "health", "qemu-01", "Fine")).code).toBe(2);

  expect((await pumice("workers", "remove", "bench")).said).toContain("worker bench has devices");
  expect((await pumice("devices", "remove", "qemu-01")).code).toBe(0);
  expect((await pumice("workers", "remove", "bench")).code).toBe(0);
});

test("a configuration that can't be a device's is refused with its places", async () => {
  await lab.addWorker("bench");
  const config = file("actions:\n  deploy: {methods: {}}\n");
  const where = ["--type", "qemu", "--worker", "bench", "--config", config];
  const { code, said } = await pumice("devices", "add", "qemu-01", ...where);
  expect(code).toBe(2);
  expect(said).toContain(`${config}:1:1: actions.boot: the key "boot" is missing`);
});

test("a person's token is made, works, and is dead when revoked", async () => {
  const { out, said } = await pumice("tokens", "add", "alice", "--description", "CI");
  const token = out.trim();
  const asAlice = () => cli(["jobs"], { PUMICE_URL: lab.url, PUMICE_TOKEN: token });
  expect((await asAlice()).code).toBe(0);
  const refused = await cli(["workers", "add", "mine"], {
    PUMICE_URL: lab.url,
    PUMICE_TOKEN: token,
  });
  expect(refused.code).toBe(2);
  const id = /Its id is (\S+?)\./.exec(said)?.[1] ?? "";
  expect((await pumice("tokens")).out).toMatch(new RegExp(`^${id} +user +alice .* CI$`, "m"));
  expect((await pumice("tokens", "revoke", id)).code).toBe(0);
  const dead = await asAlice();
  expect(dead.code).toBe(2);
  expect(dead.said).toContain("is the token right");
});

test("sign-in prints a link to this control plane", async () => {
  const { out } = await pumice("sign-in");
  const link = out.trim();
  expect(link).toMatch(new RegExp(`^${lab.url}/sign-in\\?code=`));
});
