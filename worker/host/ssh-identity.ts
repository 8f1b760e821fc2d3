import path from "node:path";
import type { JobContext } from "../pipeline/action.ts";

/** Where keys are that a dictionary names without a folder (`dynamic_vm_keys/lava`), when the settings don't say. */
const KEYS_FOLDER = "/etc/pumice-worker";

/** The private key for a device's ssh: a relative path is one below the worker's setting `ssh_keys_dir`. */
export function identityFile({ device, dispatcher }: JobContext): string | undefined {
  const { ssh } = (device.actions.deploy.methods ?? {}) as { ssh?: { identity_file?: unknown } };
  const file = ssh?.identity_file;
  if (typeof file !== "string" || file === "") return undefined;
  const folder = dispatcher["ssh_keys_dir"];
  return path.resolve(typeof folder === "string" && folder ? folder : KEYS_FOLDER, file);
}
