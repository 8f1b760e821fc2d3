import * as v from "valibot";
import { labName } from "./lab.ts";
import { plainRecord } from "./plain-record.ts";
import { MAX_MANIFEST_CHARS, PLATFORMS, versionSchema } from "./release.ts";

/** Releases, their keys and the roll-out, as `/api/v1` takes and tells them (docs/upgrades.md). */

const time = v.pipe(v.string(), v.isoTimestamp());
const sha256 = v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/));

/** `PUT /api/v1/release-keys`: a public key, PEM. The server hands it out; the private one never comes here. */
export const putReleaseKeySchema = v.object({ pem: v.pipe(v.string(), v.maxLength(4096)) });
export const releaseKeyViewSchema = v.object({
  /** First 16 digits of the SHA-256 of the key (SPKI, DER). */
  id: v.string(),
  pem: v.string(),
  added: time,
  user: v.string(),
});
export type ReleaseKeyView = v.InferOutput<typeof releaseKeyViewSchema>;
export const releaseKeyListSchema = v.object({ release_keys: v.array(releaseKeyViewSchema) });

/** One file of a release as it is stored and sent: gzip of the file that the manifest names. */
export const storedFileSchema = v.object({
  platform: v.picklist(PLATFORMS),
  /** Of the gzip. */
  bytes: v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(512 * 1024 * 1024)),
  sha256,
});
export type StoredFile = v.InferOutput<typeof storedFileSchema>;

/**
 * `PUT /api/v1/releases/VERSION`: says what the release is; the answer says which files are still missing and where to PUT
 * them. To be repeated, with the same body, until none is: then the release can be rolled out.
 */
export const putReleaseSchema = v.object({
  manifest: v.pipe(v.string(), v.maxLength(MAX_MANIFEST_CHARS)),
  signature: v.pipe(v.string(), v.maxLength(1000)),
  files: v.pipe(v.array(storedFileSchema), v.maxLength(PLATFORMS.length)),
});
export type PutRelease = v.InferOutput<typeof putReleaseSchema>;
export const releaseViewSchema = v.object({
  version: v.string(),
  protocol: v.number(),
  commit: v.optional(v.string()),
  added: time,
  user: v.string(),
  /** All its files are there. */
  ready: v.boolean(),
  files: v.array(v.object({ ...storedFileSchema.entries, raw_bytes: v.number() })),
});
export type ReleaseView = v.InferOutput<typeof releaseViewSchema>;
export const releaseListSchema = v.object({ releases: v.array(releaseViewSchema) });
export const putReleaseAnswerSchema = v.object({
  release: releaseViewSchema,
  uploads: v.array(
    v.object({
      platform: v.picklist(PLATFORMS),
      url: v.string(),
      headers: plainRecord(v.string(), v.string()),
    }),
  ),
});
export type PutReleaseAnswer = v.InferOutput<typeof putReleaseAnswerSchema>;

/** How far a roll-out goes: one worker, a tenth of them (with that one), all. */
export const STAGES = ["one", "10%", "all"] as const;
export type Stage = (typeof STAGES)[number];

/** `POST /api/v1/rollout` begins one, in place of the one before. */
export const startRolloutSchema = v.object({
  version: versionSchema,
  stage: v.optional(v.picklist(STAGES, `expected one of ${STAGES.join(", ")}`), "one"),
  /** Which worker is the first; chosen when not given. */
  worker: v.optional(labName),
});
export type StartRollout = v.InferOutput<typeof startRolloutSchema>;

/** How a worker stands to the roll-out. */
export const ROLLOUT_STATES = [
  "upgraded",
  "downloading",
  "waiting",
  "offered",
  "failed",
  "rolled_back",
  "pinned",
  "newer",
  "by_hand",
  "later",
] as const;
export type RolloutState = (typeof ROLLOUT_STATES)[number];

export const rolloutViewSchema = v.object({
  id: v.string(),
  version: v.string(),
  stage: v.picklist(STAGES),
  first: v.string(),
  /** Offers are made. */
  active: v.boolean(),
  /** Why it stopped. */
  reason: v.optional(v.string()),
  user: v.string(),
  started: time,
  changed: time,
  workers: v.array(
    v.object({
      name: v.string(),
      version: v.optional(v.string()),
      state: v.picklist(ROLLOUT_STATES),
      detail: v.optional(v.string()),
    }),
  ),
});
export type RolloutView = v.InferOutput<typeof rolloutViewSchema>;
/** `GET /api/v1/rollout` */
export const rolloutAnswerSchema = v.object({ rollout: v.optional(rolloutViewSchema) });

/** `PUT /api/v1/workers/NAME/pin` */
export const pinSchema = v.object({ version: versionSchema });
