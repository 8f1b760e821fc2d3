import * as v from "valibot";

/**
 * A release of the worker: its files, one for each platform, told by a signed manifest. `scripts/build` writes it, the
 * server keeps and offers it, the agent upgrades from it.
 */

/** What a worker's file runs on: Linux with glibc; armv7 has the hard-float ABI. */
export const PLATFORMS = ["linux-x64", "linux-arm64", "linux-armv7"] as const;
export type Platform = (typeof PLATFORMS)[number];

/** Name of a platform's file, in a build and in a release. */
export const workerFileName = (platform: Platform): string => `pumice-worker-${platform}`;

/** A version of the programs: `1.2.3`, `1.2.3-rc.1`. It becomes part of paths and URLs, so it is one safe component. */
export const versionSchema = v.pipe(
  v.string("expected a version"),
  v.maxLength(100, "expected at most 100 characters"),
  v.regex(/^\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$/, "expected a version such as 1.2.3"),
);

/** No file of a release is larger: an agent's board has little room. */
export const MAX_FILE_BYTES = 512 * 1024 * 1024;
/** No manifest is longer, in characters. */
export const MAX_MANIFEST_CHARS = 64 * 1024;

export const releaseFileSchema = v.pipe(
  v.object({
    platform: v.picklist(PLATFORMS, `expected one of ${PLATFORMS.join(", ")}`),
    name: v.string("expected a file name"),
    bytes: v.pipe(
      v.number("expected a number of bytes"),
      v.integer("expected a whole number of bytes"),
      v.minValue(1, "expected at least 1 byte"),
      v.maxValue(MAX_FILE_BYTES, `expected at most ${MAX_FILE_BYTES} bytes`),
    ),
    sha256: v.pipe(
      v.string("expected a SHA-256 sum"),
      v.regex(/^[0-9a-f]{64}$/, "expected 64 lower-case hexadecimal digits"),
    ),
  }),
  v.check(
    ({ platform, name }) => name === workerFileName(platform),
    "expected the name pumice-worker-PLATFORM",
  ),
);
export type ReleaseFile = v.InferOutput<typeof releaseFileSchema>;

/** `manifest.json`: what a release is. Its exact bytes are what is signed (release-signature.ts). */
export const manifestSchema = v.object({
  version: versionSchema,
  /** WORKER_PROTOCOL that these files speak. */
  protocol: v.pipe(v.number("expected a number"), v.integer(), v.minValue(1)),
  /** The commit that they were built from, when the build knew it. */
  commit: v.optional(v.pipe(v.string(), v.regex(/^[0-9a-f]{40,64}$/, "expected a commit's hash"))),
  files: v.pipe(
    v.array(releaseFileSchema),
    v.minLength(1, "expected at least one file"),
    v.check(
      (files) => new Set(files.map((file) => file.platform)).size === files.length,
      "expected each platform once",
    ),
  ),
});
export type Manifest = v.InferOutput<typeof manifestSchema>;

/** @throws Error a sentence with the place, when the text is no manifest. */
export function parseManifest(text: string): Manifest {
  if (text.length > MAX_MANIFEST_CHARS) {
    throw new Error(`the manifest is longer than ${MAX_MANIFEST_CHARS} characters`);
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new Error("the manifest is no JSON", { cause });
  }
  const result = v.safeParse(manifestSchema, value);
  if (result.success) return result.output;
  const [issue] = result.issues;
  throw new Error(`the manifest's ${v.getDotPath(issue) ?? "text"}: ${issue.message}`);
}
