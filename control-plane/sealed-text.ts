import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from "node:crypto";

const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/**
 * `v1.` and base64url of nonce, AES-256-GCM's cipher text and tag. The key is derived from the secret (HKDF-SHA-256), and
 * `context` is authenticated, so that a sealed text is worth nothing in another one's place.
 */
export function seal(secret: string, context: string, text: string): string {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv("aes-256-gcm", keyOf(secret), nonce);
  cipher.setAAD(Buffer.from(context));
  const sealed = Buffer.concat([
    nonce,
    cipher.update(text, "utf8"),
    cipher.final(),
    cipher.getAuthTag(),
  ]);
  return `v1.${sealed.toString("base64url")}`;
}

/** Undefined when it was sealed by another secret, for another place, or is damaged. */
export function unseal(secret: string, context: string, sealed: string): string | undefined {
  const bytes = Buffer.from(/^v1\.([\w-]+)$/.exec(sealed)?.[1] ?? "", "base64url");
  if (bytes.length < NONCE_BYTES + TAG_BYTES) return undefined;
  const decipher = createDecipheriv("aes-256-gcm", keyOf(secret), bytes.subarray(0, NONCE_BYTES));
  decipher.setAAD(Buffer.from(context));
  decipher.setAuthTag(bytes.subarray(-TAG_BYTES));
  try {
    const text = decipher.update(bytes.subarray(NONCE_BYTES, -TAG_BYTES));
    return Buffer.concat([text, decipher.final()]).toString("utf8");
  } catch {
    return undefined;
  }
}

const keyOf = (secret: string): Buffer =>
  Buffer.from(hkdfSync("sha256", secret, "", "pumice sealed text", 32));
