import { generateKeyPairSync } from "node:crypto";
import * as v from "valibot";
import { describe, expect, test } from "vitest";
import type { WorkerView } from "#protocol/api.ts";
import { compareVersions } from "#protocol/compare-versions.ts";
import { readReleaseKey, splitPem } from "#protocol/release-key.ts";
import { upgradeText, workerNotices } from "#protocol/upgrade-text.ts";
import { syncRequestSchema, upgradeOfferSchema } from "#protocol/worker-api.ts";

test("versions are ordered by number, those before a release before it", () => {
  const inOrder = [
    "0.9.9",
    "1.0.0-1",
    "1.0.0-alpha",
    "1.0.0-alpha.1",
    "1.0.0-alpha.beta",
    "1.0.0-rc.2",
    "1.0.0-rc.11",
    "1.0.0",
    "1.2.0",
    "1.10.0",
    "10.0.0",
  ];
  expect(inOrder.toReversed().toSorted(compareVersions)).toEqual(inOrder);
  for (const version of inOrder) expect(compareVersions(version, version)).toBe(0);
});

describe("an offer", () => {
  const offer = {
    id: "1",
    version: "1.0.0",
    pinned: false,
    manifest: "{}",
    signature: "",
    url: "/x",
    bytes: 1,
    sha256: "0".repeat(64),
  };

  test.each(["../../etc/passwd", "", "0".repeat(63), `${"0".repeat(64)}\n`, "A".repeat(64)])(
    "whose hash is no safe file name is not read: %j",
    (sha256) => {
      expect(v.is(upgradeOfferSchema, offer)).toBe(true);
      expect(v.is(upgradeOfferSchema, { ...offer, sha256 })).toBe(false);
    },
  );
});

test("a worker that is newer than its control plane is understood: what is unknown is left out", () => {
  const request = {
    protocol: 1,
    version: "9.0.0",
    runners: [],
    wait_seconds: 0,
    platform: "linux-riscv64",
    upgrade: { id: "1", version: "10.0.0", state: "postponed", until: "dawn" },
    mood: "good",
  };
  expect(v.parse(syncRequestSchema, request)).toEqual({
    protocol: 1,
    version: "9.0.0",
    runners: [],
    wait_seconds: 0,
    platform: "linux-riscv64",
    upgrade: { id: "1", version: "10.0.0", state: "postponed" },
  });
});

test("release keys are read in any form of PEM, Ed25519 only", () => {
  const ed = generateKeyPairSync("ed25519").publicKey.export({ type: "spki", format: "pem" });
  const ec = generateKeyPairSync("ec", { namedCurve: "P-256" }).publicKey;
  const pem = String(ed);
  expect(readReleaseKey(`\n${pem}\n\n`)).toEqual(readReleaseKey(pem));
  expect(readReleaseKey(pem).id).toMatch(/^[0-9a-f]{16}$/);
  expect(splitPem(`# ours\n${pem}\n# theirs\n${pem}`)).toHaveLength(2);
  const ecPem = String(ec.export({ type: "spki", format: "pem" }));
  expect(() => readReleaseKey(ecPem)).toThrow("Ed25519");
  expect(() => readReleaseKey("nonsense")).toThrow("PEM");
});

test("a worker's list says in a few words what its upgrade does, and below what to look at", () => {
  const worker: WorkerView = {
    name: "bench",
    state: "Online",
    health: "Active",
    version: "1.0.0",
    description: "",
    job_limit: 0,
    devices: [],
  };
  const upgrade = { id: "1", version: "2.0.0", state: "downloading" };
  expect(upgradeText(worker)).toBe("");
  expect(upgradeText({ ...worker, upgrade: { ...upgrade, percent: 40 } })).toBe(
    "2.0.0: 40 % downloaded",
  );
  expect(upgradeText({ ...worker, upgrade: { ...upgrade, state: "postponed" } })).toBe(
    "2.0.0: postponed",
  );
  const done = { ...upgrade, version: "1.0.0", state: "waiting", reason: "old news" };
  expect(upgradeText({ ...worker, upgrade: done, pin: { id: "2", version: "1.0.0" } })).toBe(
    "pinned to 1.0.0",
  );
  expect(workerNotices({ ...worker, upgrade: done })).toEqual([]);
  expect(workerNotices({ ...worker, notice: "n", by_hand: "b" })).toEqual([
    "n",
    "needs upgrades by hand: b",
  ]);
});
