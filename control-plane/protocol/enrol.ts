import * as v from "valibot";
import { labName } from "./lab.ts";

/*
 * A board gets its worker's token by a one-time code: `WORKER:SECRET`, or `WORKER:SECRET:PIN` for a lab whose certificate no
 * public authority has signed. SECRET has 140 bits, in letters that are not mistaken for each other; PIN is the SHA-256 of
 * the certificate's public key (SPKI), base64url. The server never sends a token: the board makes one and registers its hash.
 */

/** `POST /api/v1/workers/NAME/enrolment` (admin): makes a code; the one before is worth nothing any more. */
export const newEnrolmentSchema = v.object({
  /** Makes the worker as well, which must not be there. */
  add: v.optional(v.boolean(), false),
  description: v.optional(v.string(), ""),
  expires_seconds: v.optional(
    v.pipe(v.number(), v.integer(), v.minValue(60), v.maxValue(7 * 24 * 60 * 60)),
    60 * 60,
  ),
});
export type NewEnrolment = v.InferOutput<typeof newEnrolmentSchema>;

/** Its answer, 201: the code is shown this once. */
export const enrolmentSchema = v.object({ code: v.string(), expires: v.string() });
export type Enrolment = v.InferOutput<typeof enrolmentSchema>;

/**
 * `POST /api/v1/enrol` (no token): registers the token that the board has made. The same request again has the same
 * answer until the code expires; any other with a used code is refused as one with a wrong code is, 401.
 */
export const enrolRequestSchema = v.object({
  worker: labName,
  secret: v.pipe(v.string(), v.maxLength(100)),
  /** The token's own id (`pumice_ID_...`). */
  token_id: v.pipe(v.string(), v.regex(/^[0-9a-f]{16}$/)),
  /** SHA-256 of the token's text, lower-case hex. */
  token_hash: v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/)),
});
export type EnrolRequest = v.InferOutput<typeof enrolRequestSchema>;

export const enrolAnswerSchema = v.object({
  worker: v.string(),
  /** PEM public keys, one after the other, that may have signed new versions of the worker. */
  release_keys: v.optional(v.pipe(v.string(), v.maxLength(64 * 1024))),
});
export type EnrolAnswer = v.InferOutput<typeof enrolAnswerSchema>;

/** Without I, L, O and U. */
const LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const LENGTH = 28;

/** The first 140 bits of a hash (lower-case hex), in letters that can be read to somebody. */
export const readable = (hex: string): string =>
  Array.from({ length: LENGTH }, (_, n) => {
    const bit = n * 5;
    const bits = Number.parseInt(hex.slice(bit >> 2, (bit >> 2) + 3).padEnd(3, "0"), 16);
    return LETTERS[(bits >> (7 - (bit & 3))) & 31];
  }).join("");

/** A code as people get it: the secret in groups of four letters. */
export const codeOf = (worker: string, secret: string): string =>
  `${worker}:${secret.replace(/.{4}(?=.)/g, "$&-")}`;

export interface ReadCode {
  readonly worker: string;
  readonly secret: string;
  readonly pin?: string;
}

/** What a code says, however its secret was typed: small letters, other groups, O for 0. Undefined for what is none. */
export function readCode(code: string): ReadCode | undefined {
  const [worker = "", typed = "", pin, more] = code.trim().split(":");
  const secret = typed
    .toUpperCase()
    .replace(/[\s-]/g, "")
    .replaceAll("O", "0")
    .replace(/[IL]/g, "1");
  const isSecret = secret.length === LENGTH && /^[0-9A-HJKMNP-TV-Z]*$/.test(secret);
  const isPin = pin === undefined || /^[\w-]{43}$/.test(pin);
  if (!v.is(labName, worker) || !isSecret || !isPin || more !== undefined) return undefined;
  return { worker, secret, ...(pin === undefined ? {} : { pin }) };
}
