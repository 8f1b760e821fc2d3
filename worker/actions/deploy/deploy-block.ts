import type { DeployBlock } from "#protocol/job-actions.ts";
import type { JobContext } from "../../pipeline/action.ts";

type Mapping = Readonly<Record<string, unknown>>;

/** Why a device can't do a deployment: the block is another's, or the device has no such method; undefined when it can. */
export function lacksDeployMethod(
  name: string,
  block: DeployBlock,
  { device }: JobContext,
  to = name,
): string | undefined {
  if (block.to !== to) return `the deployment is to ${block.to}`;
  const offered = Object.keys(device.actions.deploy.methods ?? {});
  if (offered.includes(name)) return undefined;
  return `the device has no deploy method ${name} (it has ${offered.join(", ") || "none"})`;
}

/** A value that should be a mapping; an empty one when it is anything else. */
export const mappingOf = (value: unknown): Mapping =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Mapping) : {};
