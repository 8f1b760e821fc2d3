import type { Action } from "../../pipeline/action.ts";
import type { Slot } from "../../pipeline/slot.ts";
import { downloadRetry, type Artifact } from "../deploy/download-action.ts";

/** `download-retry` outside of a deployment: the file's path goes into the slot. */
export const downloadInto = (artifact: Artifact, into: Slot<string>): Action =>
  downloadRetry(artifact, into);
