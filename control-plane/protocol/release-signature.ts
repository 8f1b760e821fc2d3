// In a file of its own, which browser scripts don't import.
// oxlint-disable-next-line no-restricted-imports -- Node.js, Bun and Lambda all have it; WebCrypto's Ed25519 warns on Node.js 20.
import { createPublicKey, type KeyObject, verify } from "node:crypto";
import { type Manifest, parseManifest } from "./release.ts";

/**
 * The manifest that `text` is, when one of the keys signed exactly these bytes (UTF-8) with Ed25519.
 *
 * @param signatureBase64 what `manifest.json.sig` holds.
 * @param publicKeysPem SPKI PEM, any of which will do: an old and a new one while keys change.
 * @throws Error a sentence: no key, a key that is none, a wrong signature, no manifest.
 */
export function verifyManifest(
  text: string,
  signatureBase64: string,
  publicKeysPem: string[],
): Manifest {
  if (publicKeysPem.length === 0) {
    throw new Error("the release can't be verified: no public key is known");
  }
  const keys = publicKeysPem.map(publicKey);
  const signature = Buffer.from(signatureBase64, "base64");
  const bytes = Buffer.from(text, "utf8");
  if (!keys.some((key) => verify(null, bytes, key, signature))) {
    throw new Error(
      keys.length === 1
        ? "the manifest's signature is not by the release key that is known here"
        : `the manifest's signature is by none of the ${keys.length} release keys that are known here`,
    );
  }
  return parseManifest(text);
}

function publicKey(pem: string): KeyObject {
  let key: KeyObject;
  try {
    key = createPublicKey(pem);
  } catch (cause) {
    throw new Error("a release key is no public key in PEM form", { cause });
  }
  if (key.asymmetricKeyType !== "ed25519") {
    throw new Error(`a release key is of the kind ${key.asymmetricKeyType}: expected ed25519`);
  }
  return key;
}
