import { createHash, sign } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { workerFileName, type Platform } from "#protocol/release.ts";
import { cli } from "../support/cli-run.ts";
import { listeningLab } from "../support/listening-lab.ts";

let lab: Awaited<ReturnType<typeof listeningLab>>;
let dir: string;
const pumice = (...args: string[]) =>
  cli(args, { PUMICE_URL: lab.url, PUMICE_TOKEN: lab.adminToken });

beforeEach(async () => {
  lab = await listeningLab();
  dir = mkdtempSync(path.join(tmpdir(), "pumice-cli-"));
});
afterEach(async () => {
  await lab.close();
  rmSync(dir, { recursive: true, force: true });
});

/** What scripts/build leaves in its folder. */
function built(version: string, platforms: Platform[], key = path.join(dir, "key")): void {
  const files = platforms.map((platform) => {
    const name = workerFileName(platform);
    const content = Buffer.from(`${name} ${version}`);
    writeFileSync(path.join(dir, name), content);
    const sha256 = createHash("sha256").update(content).digest("hex");
    return { platform, name, bytes: content.length, sha256 };
  });
  const manifest = `${JSON.stringify({ version, protocol: 1, files }, undefined, 2)}\n`;
  writeFileSync(path.join(dir, "manifest.json"), manifest);
  const signature = sign(null, Buffer.from(manifest), readFileSync(key)).toString("base64");
  writeFileSync(path.join(dir, "manifest.json.sig"), `${signature}\n`);
}

test("a release goes from a key to a worker that was offered it, and is removed", async () => {
  const key = path.join(dir, "key");
  expect((await pumice("releases", "keygen", key)).code).toBe(0);
  expect(statSync(key).mode & 0o777).toBe(0o600);
  built("2.0.0", ["linux-x64", "linux-armv7"]);
  expect(await pumice("releases", "add", dir)).toMatchObject({
    code: 2,
    said: expect.stringContaining("releases trust FILE.pub"),
  });
  expect((await pumice("releases", "trust", key)).said).toContain("private key");
  expect((await pumice("releases", "trust", `${key}.pub`)).code).toBe(0);
  expect((await pumice("releases", "keys")).out).toBe(readFileSync(`${key}.pub`, "utf8"));
  for (const _ of [1, 2]) {
    expect((await pumice("releases", "add", dir)).said).toContain(
      "Release 2.0.0 is there for linux-x64, linux-armv7",
    );
  }
  expect((await pumice("releases")).out).toMatch(/^2\.0\.0 .* admin +ready +linux-x64, linux-/m);
  expect(JSON.parse((await pumice("releases", "show", "2.0.0")).out)).toMatchObject({
    ready: true,
  });

  const worker = await lab.addWorker("bench");
  const old = { version: "1.0.0", platform: "linux-x64" };
  await lab.sync(worker, [], old);
  expect((await pumice("rollout")).said).toContain("Nothing has been rolled out");
  const begun = await pumice("rollout", "start", "2.0.0");
  expect(begun.out).toContain("Roll-out of 2.0.0 to worker bench goes on");
  expect(begun.out).toMatch(/^bench +1\.0\.0 +offered/m);
  const { upgrade } = await lab.sync(worker, [], old);
  const id = upgrade?.id ?? "";
  const report = { id, version: "2.0.0", state: "downloading", percent: 40 };
  await lab.sync(worker, [], { ...old, upgrade: report });
  expect((await pumice("workers")).out).toMatch(/ 1\.0\.0 +2\.0\.0: 40 % downloaded/);
  expect((await pumice("rollout", "next")).out).toContain("to 10 % of the workers goes on");
  expect((await pumice("rollout", "stop")).out).toContain("is stopped: admin stopped it");
  const back = { ...report, state: "rolled_back", reason: "it did not sync" };
  await lab.sync(worker, [], { ...old, upgrade: back });
  const listed = await pumice("workers");
  expect(listed.out).toContain("2.0.0: went back");
  expect(listed.said).toContain("bench: upgrade to 2.0.0: it did not sync");
  expect((await pumice("rollout", "status")).out).toMatch(/^bench .* went back +it did not sync/m);
  expect((await pumice("releases", "remove", "2.0.0")).code).toBe(0);
  expect((await pumice("releases")).out).not.toContain("2.0.0");
});

test("a file that is not the manifest's is found out before anything is sent", async () => {
  await pumice("releases", "keygen", path.join(dir, "key"));
  built("2.0.0", ["linux-x64"]);
  writeFileSync(path.join(dir, "pumice-worker-linux-x64"), "another");
  expect(await pumice("releases", "add", dir)).toMatchObject({
    code: 2,
    said: expect.stringContaining("is not the file that manifest.json names"),
  });
  expect((await pumice("releases", "keygen", path.join(dir, "key"))).said).toContain(
    "is there already",
  );
  rmSync(path.join(dir, "manifest.json.sig"));
  expect((await pumice("releases", "add", dir)).said).toContain("signs a release");
});

test("a worker is pinned and unpinned; what somebody should do about it is said", async () => {
  const worker = await lab.addWorker("bench");
  await lab.sync(worker, [], { version: "1.0.0", by_hand: "it runs from a container" });
  expect((await pumice("workers", "pin", "bench", "9.0.0")).said).toContain("no release");
  expect((await pumice("workers", "pin", "bench", "1.0.0")).code).toBe(0);
  const listed = await pumice("workers");
  expect(listed.out).toContain("pinned to 1.0.0");
  expect(listed.said).toContain("bench: needs upgrades by hand: it runs from a container");
  expect((await pumice("workers", "unpin", "bench")).code).toBe(0);
  await lab.sync(worker, [], { version: "1.0.0", protocol: 99 });
  const shown = await pumice("workers", "show", "bench");
  expect(JSON.parse(shown.out)).toMatchObject({ name: "bench", protocol: 99 });
  expect(shown.said).toContain("gets no new jobs");
});
