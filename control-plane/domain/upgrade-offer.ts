import { compareVersions } from "#protocol/compare-versions.ts";
import type { SyncRequest, UpgradeOffer } from "#protocol/worker-api.ts";
import type { Deps } from "./deps.ts";
import { releaseKey } from "./keys.ts";
import { releaseBlob } from "./blob-names.ts";
import { isServed } from "./protocol-window.ts";
import type { ReleaseRecord } from "./releases.ts";
import { findRollout, isChosen } from "./rollout-record.ts";
import type { WorkerRecord } from "./worker-record.ts";

const URL_SECONDS = 60 * 60;

/** Which version a worker shall have: what the answer to its sync depends on. */
export interface Wanted {
  readonly id: string;
  readonly version: string;
  readonly pinned: boolean;
}

/**
 * The version that a worker shall change to, if it shall: its pin, or the roll-out's when it is chosen. A roll-out never leads
 * to an older version. Costs one read of the table.
 */
export async function wantedVersion(
  deps: Deps,
  worker: WorkerRecord,
  { version, platform }: Pick<SyncRequest, "version" | "platform">,
): Promise<Wanted | undefined> {
  if (platform === undefined) return undefined;
  const { pin } = worker;
  if (pin) return pin.version === version ? undefined : { ...pin, pinned: true };
  const rollout = (await findRollout(deps))?.data;
  if (!rollout?.active || compareVersions(version, rollout.version) >= 0) return undefined;
  if (!isChosen(deps, rollout, worker)) return undefined;
  return { id: rollout.id, version: rollout.version, pinned: false };
}

/** How to get it; undefined when there is no file for the platform, or it would get no jobs. The link is another one each time. */
export async function makeOffer(
  deps: Deps,
  wanted: Wanted,
  platform: string | undefined,
): Promise<UpgradeOffer | undefined> {
  const release = (await deps.table.get<ReleaseRecord>(releaseKey(wanted.version)))?.data;
  const file = release?.files.find((one) => one.platform === platform);
  if (!release?.ready || !file || !isServed(release.protocol)) return undefined;
  const { manifest, signature } = release;
  const { bytes, sha256 } = file;
  const key = releaseBlob(wanted.version, file.platform, sha256);
  const { url } = await deps.blobs.signGet(key, URL_SECONDS);
  return { ...wanted, manifest, signature, url, bytes, sha256 };
}
