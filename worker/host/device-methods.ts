import type { JobContext } from "../pipeline/action.ts";

/** `parameters` (or another mapping) of a boot method in the device's configuration; empty when there is none. */
export function bootMethod(
  { device }: JobContext,
  method: string,
  key = "parameters",
): Readonly<Record<string, unknown>> {
  const found = device.actions.boot.methods?.[method] as Record<string, unknown> | null | undefined;
  return (found?.[key] ?? {}) as Record<string, unknown>;
}

/** The same of a deploy method. */
export function deployMethod(
  { device }: JobContext,
  method: string,
  key = "parameters",
): Readonly<Record<string, unknown>> {
  const found = device.actions.deploy.methods?.[method] as
    | Record<string, unknown>
    | null
    | undefined;
  return (found?.[key] ?? {}) as Record<string, unknown>;
}

/** Why a block is not for this method on this device; undefined when it is. */
export function refusal(
  family: "deploy" | "boot",
  method: string,
  wanted: unknown,
  { device }: JobContext,
  keys: readonly string[] = [],
): string | undefined {
  const word = family === "deploy" ? "the deployment is to" : "the method is";
  if (wanted !== method) return `${word} ${String(wanted)}`;
  const offered = Object.keys(device.actions[family].methods ?? {});
  if (!offered.includes(method)) {
    return `the device has no ${family} method ${method} (it has ${offered.join(", ") || "none"})`;
  }
  const missing = keys.find((key) => {
    const value = (device as Record<string, unknown>)[key];
    return value === undefined || value === null || value === "";
  });
  return missing === undefined ? undefined : `the device has no ${missing}`;
}
