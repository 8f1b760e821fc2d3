import { accessSync, constants, readFileSync } from "node:fs";
import path from "node:path";
import { splitPem } from "#protocol/release-key.ts";
import { PLATFORMS, type Platform } from "#protocol/release.ts";
import type { Layout } from "../install/layout.ts";

/** With what this worker can upgrade itself, or why it can't: told to whoever rolls a version out. */
export type UpgradeAbility =
  | { readonly platform: Platform; readonly layout: Layout; readonly keys: string[] }
  | { readonly byHand: string };

/** Looked at anew each time: keys and rights may be mended while the agent runs. */
export function upgradeAbility(
  layout: Layout | undefined,
  env: NodeJS.ProcessEnv = process.env,
): UpgradeAbility {
  if (!layout) {
    return { byHand: 'it was not started by the launcher of "pumice-worker install"' };
  }
  const name = platformName();
  const platform = PLATFORMS.find((known) => known === name);
  if (!platform) return { byHand: `there are no files for ${name}` };
  for (const folder of [layout.dir, path.join(layout.dir, "versions")]) {
    try {
      accessSync(folder, constants.W_OK);
    } catch {
      return { byHand: `its user may not write to ${folder}` };
    }
  }
  const file = env["PUMICE_RELEASE_KEYS"];
  if (!file) {
    return { byHand: "it knows no key that signs releases: PUMICE_RELEASE_KEYS is not set" };
  }
  try {
    const keys = splitPem(readFileSync(file, "utf8"));
    if (keys.length > 0) return { platform, layout, keys };
    return { byHand: `there is no public key in ${file} (PUMICE_RELEASE_KEYS)` };
  } catch (error) {
    return { byHand: `PUMICE_RELEASE_KEYS: ${(error as Error).message}` };
  }
}

function platformName(): string {
  const { platform, arch } = process;
  return `${platform}-${arch === "arm" ? "armv7" : arch}`;
}
