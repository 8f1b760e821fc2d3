import type { JobContext } from "../../pipeline/action.ts";
import { JobFailure } from "../../pipeline/job-failure.ts";
import { slot } from "../../pipeline/slot.ts";
import { deployMethod } from "../../host/device-methods.ts";

export interface AvhSettings {
  readonly endpoint: string;
  readonly project: string;
  readonly model: string;
}

/** A firmware package that AVH has, and what an instance of it needs. */
export interface AvhFirmware extends AvhSettings {
  readonly image: string;
  readonly projectId: string;
  readonly version: string;
}
export const avhFirmwareSlot = slot<AvhFirmware>("avh-firmware");

/** The block's `options`, else the dictionary's. @throws JobFailure Job when one is missing. */
export function avhSettings(
  job: JobContext,
  block: Readonly<Record<string, unknown>>,
): AvhSettings {
  const own = (block["options"] ?? {}) as Record<string, unknown>;
  const ofDevice = deployMethod(job, "avh", "options");
  const text = (key: string): string => {
    const value = own[key] ?? ofDevice[key];
    if (typeof value === "string" && value !== "") return value;
    throw new JobFailure("Job", `deploy avh: options.${key} is missing, in the job and the device`);
  };
  const endpoint = text("api_endpoint");
  const expected = "expected an address that begins with https://";
  if (!/^https?:\/\//.test(endpoint) || !URL.canParse(endpoint)) {
    throw new JobFailure("Job", `deploy avh: api_endpoint '${endpoint}': ${expected}`);
  }
  return { endpoint, project: text("project_name"), model: text("model") };
}

/** @throws JobFailure Job when the job brings no token. */
export function avhToken({ definition }: JobContext): string {
  const token = (definition.secrets ?? {})["avh_api_token"];
  if (typeof token === "string" && token !== "") return token;
  throw new JobFailure("Job", "secrets.avh_api_token is missing: expected an API token of AVH");
}
