import { chmod, mkdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { identityFile } from "../../host/ssh-identity.ts";
import type { Action, JobContext } from "../../pipeline/action.ts";
import { JobFailure } from "../../pipeline/job-failure.ts";
import { slot } from "../../pipeline/slot.ts";

/** A line for the DUT's `/root/.ssh/authorized_keys`. */
export const authorizedKeySlot = slot<string>("authorized-key");

/** Whether a device may be reached by ssh: then its overlay's plan has `ssh-authorize` (DISPATCHER.md 11). */
export const hasSsh = ({ device }: JobContext): boolean =>
  Object.keys(device.actions.deploy.methods ?? {}).some((name) => name.includes("ssh"));

/** Lets the worker in by ssh later, when the block says `authorize: ssh`. */
export const sshAuthorize = (isWanted: boolean): Action => ({
  name: "ssh-authorize",
  gives: [authorizedKeySlot],
  validate: async ({ job }) => {
    if (isWanted) await publicKey(job);
  },
  run: async ({ job, slots, log }) => {
    slots.clear(authorizedKeySlot);
    if (!isWanted) return log.debug("authorize: ssh is not asked for: skipped");
    slots.put(authorizedKeySlot, await publicKey(job));
  },
});

export async function writeAuthorizedKey(root: string, key: string): Promise<void> {
  const folder = path.join(root, "root/.ssh");
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await chmod(path.join(root, "root"), 0o700);
  await writeFile(path.join(folder, "authorized_keys"), `${key}\n`, { mode: 0o600 });
}

async function publicKey(job: JobContext): Promise<string> {
  const identity = identityFile(job);
  const file = `${identity}.pub`;
  if (identity === undefined) {
    const where = "actions.deploy.methods.ssh.identity_file";
    throw new JobFailure("Configuration", `authorize: ssh: the device has no ${where}`);
  }
  try {
    return (await readFile(file, "utf8")).trim();
  } catch (cause) {
    const message = `authorize: ssh: ${file} can't be read: expected the public key of the device's identity_file`;
    throw new JobFailure("Infrastructure", message, { cause });
  }
}
