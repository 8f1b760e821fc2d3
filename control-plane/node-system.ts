import { createHmac, hash, randomBytes, randomUUID } from "node:crypto";
import { promisify } from "node:util";
import { gunzip, gunzipSync, gzip } from "node:zlib";
import { isSlowHashOf, slowHash } from "./password-hash.ts";
import type { System } from "./ports/system.ts";
import { seal, unseal } from "./sealed-text.ts";

const compress = promisify<Uint8Array, Buffer>(gzip);
const decompress = promisify<Uint8Array, { maxOutputLength: number }, Buffer>(gunzip);

const SMALL_BYTES = 4096;

/** The real clock and chance of this process; operator messages go to stderr. */
export const system: System = {
  now: Date.now,
  id: shortId,
  randomToken: () => randomBytes(32).toString("base64url"),
  hash: (text) => hash("sha256", text),
  hmac: (secret, text) => createHmac("sha256", secret).update(text).digest("hex"),
  slowHash,
  isSlowHashOf,
  seal,
  unseal,
  gzip: (bytes) => compress(bytes),
  // What is small grows to a few megabytes at the most; a thread for it costs more than it saves.
  gunzip: async (bytes, maxBytes) =>
    bytes.length < SMALL_BYTES
      ? gunzipSync(bytes, { maxOutputLength: maxBytes })
      : decompress(bytes, { maxOutputLength: maxBytes }),
  log: (message, context) => {
    const details = context ? ` ${JSON.stringify(context)}` : "";
    process.stderr.write(`${new Date().toISOString()} ${message}${details}\n`);
  },
};

/** 64 random bits as hex. Of a UUID, as Node.js draws those many at a time. */
function shortId(): string {
  const uuid = randomUUID();
  return uuid.slice(0, 8) + uuid.slice(-8);
}
