import { requireOnLab } from "./visible.ts";
import { editChange, removal } from "./changes.ts";
import type {
  PutRelease,
  PutReleaseAnswer,
  ReleaseView,
  StoredFile,
} from "#protocol/release-api.ts";
import type { Manifest } from "#protocol/release.ts";
import { verifyManifest } from "#protocol/release-signature.ts";
import type { Item } from "../ports/table.ts";
import { AppError } from "./app-error.ts";
import { nowOf } from "./closed-lab.ts";
import type { Deps } from "./deps.ts";
import { releaseKey, rolloutKey, signerKey } from "./keys.ts";
import { releaseBlob } from "./blob-names.ts";
import { requireAdmin, type Principal } from "./principal.ts";
import { isServed, SERVED } from "./protocol-window.ts";
import { queryAll } from "./query-all.ts";
import type { RolloutRecord } from "./rollout-record.ts";

/** A release of the worker in the table. */
export interface ReleaseRecord {
  version: string;
  protocol: number;
  commit?: string;
  /** The exact text that was signed. */
  manifest: string;
  signature: string;
  files: (StoredFile & { raw_bytes: number })[];
  added: string;
  user: string;
  /** All files have been seen in their place. */
  ready: boolean;
}

/** For a file on a slow line; each call has new links. */
const PUT_SECONDS = 60 * 60;

/**
 * Makes a release known, or says what is missing of one: to be repeated with the same body until no upload is asked for.
 * Throws `invalid` for a manifest that is not signed by a key of this lab, `conflict` when the version is another release already.
 */
export async function putRelease(
  deps: Deps,
  principal: Principal,
  version: string,
  request: PutRelease,
): Promise<PutReleaseAnswer> {
  const { name: user } = requireAdmin(principal);
  const manifest = await verified(deps, request);
  if (manifest.version !== version) {
    const message = `manifest: it is of version ${manifest.version}, not ${version}`;
    throw new AppError("invalid", message);
  }
  const there = await deps.table.get<ReleaseRecord>(releaseKey(version));
  if (there && there.data.manifest !== request.manifest) {
    const message = `there is another release ${version} already: remove it, or give this one a version of its own`;
    throw new AppError("conflict", message);
  }
  const record: ReleaseRecord = {
    version,
    protocol: manifest.protocol,
    ...(manifest.commit === undefined ? {} : { commit: manifest.commit }),
    manifest: request.manifest,
    signature: request.signature,
    files: await filesOf(deps, manifest, request, there?.data),
    added: there?.data.added ?? nowOf(deps),
    user: there?.data.user ?? user,
    ready: false,
  };
  const uploads = await missingFiles(deps, record);
  record.ready = uploads.length === 0;
  await deps.table.transact([
    {
      put: releaseItem(record),
      when: there ? { version: there.version } : "absent",
    },
    ...editChange(deps, "release", version, [there && told(there.data), told(record)], {
      who: user,
    }),
  ]);
  return { release: releaseView(record), uploads };
}

/** For the audit log. */
const told = ({ ready, files }: ReleaseRecord) => ({
  state: ready ? "ready" : "waits for its files",
  files: files.map(({ platform, sha256 }) => `${platform} ${sha256.slice(0, 12)}`).join(", "),
});

/** By version, the newest last as texts go. */
export async function listReleases(
  deps: Deps,
  principal: Principal,
): Promise<{ releases: ReleaseView[] }> {
  await requireOnLab(deps, principal, "view");
  const releases: ReleaseView[] = [];
  const { partition } = releaseKey("");
  for await (const { data } of queryAll<ReleaseRecord>(deps, "main", partition)) {
    releases.push(releaseView(data));
  }
  return { releases };
}

/** Throws `not_found`. */
export async function getRelease(
  deps: Deps,
  principal: Principal,
  version: string,
): Promise<ReleaseView> {
  await requireOnLab(deps, principal, "view");
  return releaseView((await getReleaseItem(deps, version)).data);
}

/** Removes a release and its files. Throws `not_found`, or `conflict` while it is rolled out. */
export async function removeRelease(
  deps: Deps,
  principal: Principal,
  version: string,
): Promise<void> {
  const user = requireAdmin(principal);
  const item = await getReleaseItem(deps, version);
  const rollout = await deps.table.get<RolloutRecord>(rolloutKey);
  if (rollout?.data.active && rollout.data.version === version) {
    throw new AppError("conflict", `version ${version} is being rolled out: stop that first`);
  }
  // Files last: a record without them would be offered.
  await deps.table.transact([
    { delete: releaseKey(version), when: { version: item.version } },
    ...removal(deps, "release", version, told(item.data), user),
  ]);
  for (const { platform, sha256 } of item.data.files) {
    await deps.blobs.remove(releaseBlob(version, platform, sha256));
  }
}

/** Throws `not_found`. */
export async function getReleaseItem(deps: Deps, version: string): Promise<Item<ReleaseRecord>> {
  const item = await deps.table.get<ReleaseRecord>(releaseKey(version));
  if (item) return item;
  const message = `there is no release ${JSON.stringify(version)}: "pumice releases add" brings one`;
  throw new AppError("not_found", message);
}

/**
 * The release, to be offered to workers. Throws `not_found`, or `conflict` when its files are not all there or its workers
 * would get no jobs from this control plane.
 */
export async function requireOfferable(deps: Deps, version: string): Promise<ReleaseRecord> {
  const { data } = await getReleaseItem(deps, version);
  if (!data.ready) {
    const message = `files of release ${version} are missing: "pumice releases add" it again`;
    throw new AppError("conflict", message);
  }
  if (!isServed(data.protocol)) {
    const message = `a worker of version ${version} would get no jobs: it speaks version ${data.protocol} of the worker protocol, this control plane ${SERVED}`;
    throw new AppError("conflict", message);
  }
  return data;
}

export const releaseItem = (record: ReleaseRecord) => ({
  key: releaseKey(record.version),
  data: record,
});

async function verified(deps: Deps, { manifest, signature }: PutRelease): Promise<Manifest> {
  const pems: string[] = [];
  const { partition } = signerKey("");
  for await (const { data } of queryAll<{ pem: string }>(deps, "main", partition)) {
    pems.push(data.pem);
  }
  if (pems.length === 0) {
    const message = `this lab knows no key that signs releases: "pumice releases trust FILE.pub" tells it`;
    throw new AppError("conflict", message);
  }
  try {
    return verifyManifest(manifest, signature, pems);
  } catch (cause) {
    throw new AppError("invalid", (cause as Error).message, { cause });
  }
}

/** Those which are there already, whole; another gzip of the same files must not take their place. */
async function filesOf(
  deps: Deps,
  manifest: Manifest,
  { files }: PutRelease,
  there: ReleaseRecord | undefined,
): Promise<ReleaseRecord["files"]> {
  if (there?.ready && (await missingFiles(deps, there)).length === 0) return there.files;
  return storedFiles(manifest, files);
}

function storedFiles(manifest: Manifest, stored: readonly StoredFile[]): ReleaseRecord["files"] {
  return manifest.files.map(({ platform, bytes }) => {
    const file = stored.find((one) => one.platform === platform);
    if (!file) throw new AppError("invalid", `files: ${platform} of the manifest is missing`);
    return { ...file, raw_bytes: bytes };
  });
}

async function missingFiles(
  deps: Deps,
  { version, files }: ReleaseRecord,
): Promise<PutReleaseAnswer["uploads"]> {
  const uploads: PutReleaseAnswer["uploads"] = [];
  for (const { platform, bytes, sha256 } of files) {
    const key = releaseBlob(version, platform, sha256);
    if ((await deps.blobs.sizeBytes(key)) === bytes) continue;
    const put = { key, sizeBytes: bytes, sha256, expiresInSeconds: PUT_SECONDS };
    const { url, headers } = await deps.blobs.signPut(put);
    uploads.push({ platform, url, headers });
  }
  return uploads;
}

function releaseView({
  version,
  protocol,
  commit,
  added,
  user,
  ready,
  files,
}: ReleaseRecord): ReleaseView {
  const known = commit === undefined ? {} : { commit };
  return { version, protocol, ...known, added, user, ready, files };
}
