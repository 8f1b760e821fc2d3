import type { DeployBlock } from "#protocol/job-actions.ts";
import { findMapping } from "../../host/mapping-of.ts";
import type { Action, JobContext } from "../../pipeline/action.ts";
import { slot, type Slot, type Slots } from "../../pipeline/slot.ts";
import type { StrategyContext } from "../../pipeline/strategy.ts";
import { overlaySteps } from "./append-overlays.ts";
import { downloadRetry } from "../download/download-action.ts";

type Mapping = Readonly<Record<string, unknown>>;

/** A file of a deployment over the network: what the job says of it, and where it is when downloaded. */
export interface NetworkFile {
  /** `kernel`, `ramdisk`, `dtbo0`: also the folder it is in for the DUT. */
  readonly key: string;
  readonly source: Mapping;
  readonly file: Slot<string>;
}

/** The files of a block under these keys, in the order of the keys; what the job doesn't give is left out. */
export function networkFiles(block: DeployBlock, keys: readonly string[]): NetworkFile[] {
  return keys.flatMap((key) => {
    const source = findMapping(block[key]);
    return typeof source?.["url"] === "string" ? [networkFile(key, source)] : [];
  });
}

export const networkFile = (key: string, source: Mapping): NetworkFile => ({
  key,
  source,
  file: fileSlot(key),
});

/** `download-retry` for each. */
export const downloadSteps = (
  files: readonly NetworkFile[],
  { overlayTests }: StrategyContext,
): Action[] =>
  files.map(({ key, source, file }) =>
    downloadRetry(
      { label: key, source: asDownloaded(key, source) },
      file,
      overlaySteps(key, source, file, overlayTests.length > 0),
    ),
  );

/**
 * A ramdisk stays compressed: the kernel unpacks it, and what the job says of it may be inside a header of U-Boot
 * (DISPATCHER.md 11.1).
 */
function asDownloaded(key: string, source: Mapping): Mapping {
  if (key !== "ramdisk") return source;
  const { compression: _stays, ...rest } = source;
  return rest;
}

const slots = new Map<string, Slot<string>>();

/** The slot of a key is the same one for all actions and deployments; a deployment empties those of earlier ones. */
export function fileSlot(key: string): Slot<string> {
  const known = slots.get(key) ?? slot<string>(`file ${key}`);
  slots.set(key, known);
  return known;
}

export function clearFiles(of: Slots): void {
  for (const one of slots.values()) of.clear(one);
}

/** `parameters` of the device's `actions: deploy`: `add_header`, `mkimage_arch` ... */
export const deployParameters = ({ device }: JobContext): Mapping =>
  findMapping((device.actions.deploy as Mapping)["parameters"]) ?? {};

export const deployMethods = ({ device }: JobContext): string[] =>
  Object.keys(device.actions.deploy.methods ?? {});

export const bootMethods = ({ device }: JobContext): string[] =>
  Object.keys(device.actions.boot.methods ?? {});
