import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { VERSION } from "#protocol/version.ts";
import type { UpgradeOffer } from "#protocol/worker-api.ts";
import { aRelease, aSigner } from "../support/a-release.ts";
import {
  agent,
  currentVersion,
  layout,
  offerOf,
  platform,
  program,
  releaseOf,
  server,
  signer,
  upgrade,
  useUpgradeBench,
  give,
} from "../support/upgrade-bench.ts";

useUpgradeBench();

describe("an upgrade is refused, and not tried again until it is offered anew,", () => {
  const content = () => program("9.0.0");
  test.each<[string, () => UpgradeOffer, RegExp]>([
    [
      "when nobody trusted signed it",
      () => offerOf(releaseOf("9.0.0", content(), aSigner())),
      /signature/,
    ],
    [
      "when the manifest was changed",
      () => {
        const offer = offerOf(releaseOf("9.0.0"));
        return { ...offer, manifest: offer.manifest.replace("9.0.0", "9.0.1"), version: "9.0.1" };
      },
      /signature/,
    ],
    [
      "when the manifest is of another version",
      () => offerOf(releaseOf("9.0.0"), { version: "9.0.1" }),
      /of 9.0.0, not 9.0.1/,
    ],
    [
      "when the file is another one",
      () => {
        const offer = offerOf(releaseOf("9.0.0"));
        const other = offerOf(releaseOf("9.0.0"));
        const { bytes, sha256 } = other;
        return { ...offer, bytes, sha256 };
      },
      /not the one that the signed manifest names/,
    ],
    [
      "when it unpacks to more than the manifest says",
      () => {
        const offer = offerOf(releaseOf("9.0.0"));
        const other = aRelease(signer, "9.0.0", { [platform]: Buffer.alloc(5_000_000) });
        return { ...offer, ...give(other.packed.get(platform)!) };
      },
      /not the one that the signed manifest names/,
    ],
    [
      "when it is no gzip",
      () => ({ ...offerOf(releaseOf("9.0.0")), ...give(randomBytes(1000)) }),
      /can't be unpacked/,
    ],
    [
      "when it is cut short, though its hash is right",
      () => ({
        ...offerOf(releaseOf("9.0.0")),
        ...give(gzipSync(content()).subarray(0, 100_000)),
      }),
      /can't be unpacked/,
    ],
    [
      "when it does not run here",
      () => offerOf(releaseOf("9.0.0", "#!/no/such/loader\n")),
      /does not run here/,
    ],
    [
      "when it says that it is another version",
      () => offerOf(releaseOf("9.0.0", program("9.0.0", "pumice-worker 1.2.3"))),
      /does not run here.*1\.2\.3/,
    ],
    ["when it is older and nobody pinned it", () => offerOf(releaseOf("0.0.1")), /older/],
    [
      "when the release has nothing for this platform",
      () => {
        const other = platform === "linux-x64" ? "linux-arm64" : "linux-x64";
        const release = aRelease(signer, "9.0.0", { [other]: "x" });
        const { manifest, signature } = release.request;
        return { ...offerOf(releaseOf("9.0.0")), manifest, signature };
      },
      /no file for linux/,
    ],
  ])("%s", async (_, make, said) => {
    const offer = make();
    const one = agent();
    one.upgrader.answered(offer);
    expect(await one.said("failed")).toMatchObject({
      id: "1",
      reason: expect.stringMatching(said),
    });
    const requests = server.ranges.length;
    one.upgrader.answered(offer);
    const next = agent();
    expect(next.state()).toBe("failed");
    next.upgrader.answered(offer);
    expect(server.ranges.length).toBe(requests);
    expect(currentVersion()).toBe(VERSION);
    expect(existsSync(layout.trial)).toBe(false);
    const good = { ...offerOf(releaseOf("9.0.0")), id: "2" };
    await upgrade(good, next);
    expect(currentVersion()).toBe("9.0.0");
  });

  test("but an older one that is pinned is taken", async () => {
    await upgrade(offerOf(releaseOf("0.0.1"), { pinned: true }));
    expect(currentVersion()).toBe("0.0.1");
  });
});
