import type { WorkerView } from "./api.ts";

/** Its version, and which program's when it is not ours. */
export const versionText = ({ version = "", kind }: WorkerView): string =>
  kind === "stock" ? `lava-worker ${version}`.trim() : version;

/** What a worker is doing about its version, in a few words for a list; empty when there is nothing to say. */
export function upgradeText({ version, upgrade, pin }: WorkerView): string {
  const pinned = pin ? `pinned to ${pin.version}` : "";
  if (!upgrade || upgrade.version === version) return pinned;
  const { state, percent } = upgrade;
  const what =
    {
      downloading: percent === undefined ? "downloading" : `${Math.floor(percent)} % downloaded`,
      waiting: "about to change",
      failed: "failed",
      rolled_back: "went back",
    }[state] ?? state;
  return [`${upgrade.version}: ${what}`, pinned].filter(Boolean).join("; ");
}

/** Sentences about what somebody should look at: no jobs, no upgrades by itself, an upgrade that failed. */
export function workerNotices({ notice, by_hand, upgrade, version }: WorkerView): string[] {
  const reason = upgrade?.version === version ? undefined : upgrade?.reason;
  return [
    ...(notice === undefined ? [] : [notice]),
    ...(by_hand === undefined ? [] : [`needs upgrades by hand: ${by_hand}`]),
    ...(reason === undefined ? [] : [`upgrade to ${upgrade?.version}: ${reason}`]),
  ];
}
