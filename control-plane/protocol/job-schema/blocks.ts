import * as v from "valibot";
import { contextSchema } from "#protocol/job-context.ts";
import {
  anyMapping,
  asMapping,
  flag,
  mapOf,
  mapWith,
  may,
  nonEmptyText,
  oneOf,
  rule,
  text,
} from "#protocol/schema-parts.ts";
import { anyOf, has } from "./choices.ts";
import { mappingOf, type Mapping, type Strength } from "./strength.ts";
import { atLeast, dockerImage, nonEmptyTexts, textOr, texts, wholeNumber } from "./values.ts";

/** What several parts of a job are made of, at one strength. */
export type Blocks = ReturnType<typeof blocksOf>;

export function blocksOf(strength: Strength) {
  const mapping = mappingOf(strength);
  const timeout = timeoutOf(strength, mapping);
  const overlays = overlaysOf(mapping);
  const artifact = artifactOf(mapping, overlays);
  const docker = { image: dockerImage, ...dockerOptions(mapping) };
  return {
    mapping,
    timeout,
    context: contextSchema,
    artifact,
    overlays,
    /** An artifact that has no keys of its place. */
    file: artifact(),
    prompts: textOr(nonEmptyTexts, nonEmptyText),
    autoLogin: autoLoginOf(mapping),
    transferOverlay: transferOverlayOf(mapping),
    /** Entries, for blocks that have more. */
    dockerEntries: docker,
    docker: mapping(docker),
    dockerByName: mapping({ name: dockerImage, ...dockerOptions(mapping) }),
    common: commonOf(timeout),
  };
}

const UNITS = ["days", "hours", "minutes", "seconds"] as const;

/** JOB.md 2: one unit; the lenient schema is content when one of several is well. */
function timeoutOf(strength: Strength, mapping: Mapping) {
  const unit = atLeast(1);
  const message = `expected one of ${UNITS.join(", ")}, a number of at least 1`;
  if (strength === "lenient") {
    const isWell = (timeout: unknown) =>
      UNITS.some((name) => v.is(unit, asMapping(timeout)?.[name]));
    return v.pipe(
      mapping(may({ skip: flag })),
      rule((timeout) => (!asMapping(timeout) || isWell(timeout) ? [] : [{ path: [], message }])),
    );
  }
  const units = { days: unit, hours: unit, minutes: unit, seconds: unit };
  const count = (timeout: unknown) => UNITS.filter((name) => has(timeout, name)).length;
  return v.pipe(
    mapping(may({ ...units, skip: flag })),
    rule((timeout) =>
      !asMapping(timeout) || count(timeout) === 1
        ? []
        : [{ path: [], message: count(timeout) === 0 ? message : `${message}, and only one` }],
    ),
    v.metadata({ oneOf: UNITS.map((name) => ({ required: [name] })) }),
  );
}

/** JOB.md 4: the keys that every action may have. */
const commonOf = (timeout: v.GenericSchema) =>
  may({
    namespace: v.pipe(
      text,
      v.notValues(
        ["common", "docker-test-shell"],
        "the names common and docker-test-shell are taken",
      ),
    ),
    "connection-namespace": text,
    protocols: v.unknown(),
    role: texts,
    timeout,
    timeouts: mapOf(timeout),
    repeat: atLeast(1),
    failure_retry: atLeast(1),
    failure_retry_interval: atLeast(1),
  });

/** JOB.md 5.1: a file to fetch. */
const DOWNLOAD = {
  url: text,
  ...may({
    headers: anyMapping,
    compression: v.nullable(oneOf("bz2", "gz", "xz", "zip", "zstd")),
    archive: oneOf("tar"),
    md5sum: text,
    sha256sum: text,
    sha512sum: text,
    use_cache: flag,
  }),
};

const overlaysOf = (mapping: Mapping) =>
  mapWith(may({ lava: flag }), mapping({ ...DOWNLOAD, format: oneOf("file", "tar"), path: text }));

/** A file with the keys that it has in its place; one with `overlays` has some more. */
function artifactOf(mapping: Mapping, overlays: v.GenericSchema) {
  const format = oneOf("cpio.newc", "ext4", "tar");
  const overlaid = {
    overlays,
    ...may({ partition: wholeNumber, sparse: flag, overlay_backend: overlayBackend }),
  };
  return (own: Record<string, v.GenericSchema> = {}) =>
    anyOf(
      [
        mapping({ ...DOWNLOAD, ...may(own) }),
        mapping({
          ...DOWNLOAD,
          ...may(own),
          ...overlaid,
          // Where a format may stand anyhow it stays optional.
          format: own["format"] ? v.optional(format) : format,
        }),
      ],
      (input) => (has(input, "overlays") ? 1 : 0),
    );
}

export const overlayBackend = oneOf("auto", "e2fsprogs", "guestfs");

/** JOB.md 6: with a password its prompt, and the other way round. */
function autoLoginOf(mapping: Mapping) {
  const user = { login_prompt: nonEmptyText, username: text };
  return anyOf(
    [
      mapping({ ...user, ...may({ login_commands: nonEmptyTexts }) }),
      mapping({
        ...user,
        password_prompt: text,
        password: text,
        ...may({ login_commands: texts }),
      }),
    ],
    (input) => (has(input, "password") || has(input, "password_prompt") ? 1 : 0),
  );
}

const transferOverlayOf = (mapping: Mapping) =>
  anyOf(
    [
      mapping({ download_command: text, unpack_command: text, ...may({ transfer_method: text }) }),
      mapping({ transfer_method: oneOf("zmodem"), unpack_command: text }),
    ],
    (input) => (asMapping(input)?.["transfer_method"] === "zmodem" ? 1 : 0),
  );

/** JOB.md 5.3. */
const dockerOptions = (mapping: Mapping) =>
  may({
    local: flag,
    container_name: text,
    network_from: text,
    login: mapping({ registry: text, user: text, password: text }),
  });
