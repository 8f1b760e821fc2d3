// oxlint-disable-next-line no-restricted-imports -- as in release-signature.ts: Node.js, Bun and Lambda have it, no browser script imports this.
import { createHash, createPublicKey } from "node:crypto";

/**
 * A public key that signs releases, in one form whatever it came in, and its id: the first 16 digits of the SHA-256 of its SPKI.
 *
 * @throws Error a sentence, when the text is no public Ed25519 key in PEM form, or is a private key.
 */
export function readReleaseKey(text: string): { id: string; pem: string } {
  if (/PRIVATE KEY/.test(text)) {
    throw new Error("this is a private key: it stays where releases are signed; give FILE.pub");
  }
  let key;
  try {
    key = createPublicKey(text);
  } catch (cause) {
    throw new Error("expected a public key in PEM form", { cause });
  }
  if (key.asymmetricKeyType !== "ed25519") throw new Error("expected an Ed25519 key");
  const der = key.export({ type: "spki", format: "der" });
  const id = createHash("sha256").update(der).digest("hex").slice(0, 16);
  return { id, pem: String(key.export({ type: "spki", format: "pem" })) };
}

/** The keys of a file that holds several, one after the other. */
export const splitPem = (text: string): string[] =>
  text.match(/-----BEGIN PUBLIC KEY-----[\s\S]*?-----END PUBLIC KEY-----/g) ?? [];
