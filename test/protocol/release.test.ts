import { generateKeyPairSync, sign } from "node:crypto";
import { expect, test } from "vitest";
import { verifyManifest } from "#protocol/release-signature.ts";
import { parseManifest } from "#protocol/release.ts";

const file = {
  platform: "linux-x64",
  name: "pumice-worker-linux-x64",
  bytes: 100_000_000,
  sha256: "0".repeat(64),
};
const text = (more: object = {}): string =>
  `${JSON.stringify({ version: "1.2.3", protocol: 1, files: [file], ...more }, null, 2)}\n`;

function keyPair() {
  const { publicKey, privateKey } = generateKeyPairSync("ed25519");
  return {
    publicPem: publicKey.export({ type: "spki", format: "pem" }).toString(),
    sign: (signed: string): string =>
      sign(null, Buffer.from(signed), privateKey).toString("base64"),
  };
}

test("A manifest signed by any of the known keys is one, also with a line break after the signature", () => {
  const [old, current] = [keyPair(), keyPair()];
  const keys = [old.publicPem, current.publicPem];
  expect(verifyManifest(text(), `${current.sign(text())}\n`, keys)).toEqual({
    version: "1.2.3",
    protocol: 1,
    files: [file],
  });
});

test("A manifest is refused when a byte differs, when another signed it, and when no key is known", () => {
  const [ours, theirs] = [keyPair(), keyPair()];
  const signature = ours.sign(text());
  expect(() => verifyManifest(`${text()} `, signature, [ours.publicPem])).toThrow(
    "the manifest's signature is not by the release key that is known here",
  );
  expect(() => verifyManifest(text(), theirs.sign(text()), [ours.publicPem])).toThrow("not by the");
  expect(() => verifyManifest(text(), "", [ours.publicPem, theirs.publicPem])).toThrow(
    "by none of the 2 release keys",
  );
  expect(() => verifyManifest(text(), signature, [])).toThrow("no public key is known");
  expect(() => verifyManifest(text(), signature, ["rubbish"])).toThrow("no public key in PEM form");
});

test("A key of another kind signs no release", () => {
  const { publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const pem = publicKey.export({ type: "spki", format: "pem" }).toString();
  expect(() => verifyManifest(text(), "", [pem])).toThrow("kind rsa: expected ed25519");
});

test.each([
  ["no JSON", "{", "the manifest is no JSON"],
  ["a version that leaves its folder", text({ version: "1.2.3-../x" }), "manifest's version: "],
  [
    "a file of another name",
    text({ files: [{ ...file, name: "../bin/sh" }] }),
    "manifest's files.0: expected the name pumice-worker-PLATFORM",
  ],
  ["a platform twice", text({ files: [file, file] }), "expected each platform once"],
  ["no files", text({ files: [] }), "expected at least one file"],
  [
    "a sum that is none",
    text({ files: [{ ...file, sha256: "0" }] }),
    "manifest's files.0.sha256: expected 64 lower-case",
  ],
  ["a file without end", text({ files: [{ ...file, bytes: 1e12 }] }), "files.0.bytes: expected at"],
])("A manifest with %s is refused by name", (_, manifest, message) => {
  expect(() => parseManifest(manifest)).toThrow(message);
});
