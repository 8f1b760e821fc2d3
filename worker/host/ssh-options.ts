import type { JobContext } from "../pipeline/action.ts";
import { JobFailure } from "../pipeline/job-failure.ts";
import { identityFile } from "./ssh-identity.ts";

/** How a DUT is reached by ssh, from `actions.deploy.methods.ssh` of its dictionary (DEVICE.md 1.3). */
export interface SshTarget {
  /** `user@host`, for ssh. */
  readonly login: string;
  readonly user: string;
  readonly host: string;
  readonly port: string;
  /** For ssh and scp alike. */
  readonly options: readonly string[];
}

/**
 * A DUT is made anew for each job, so its host key says nothing (DISPATCHER.md 14). Nobody is there to be asked for a
 * password. A connection that died without a word is noticed within a minute.
 */
const OWN_OPTIONS = [
  "-o",
  "UserKnownHostsFile=/dev/null",
  "-o",
  "StrictHostKeyChecking=no",
  "-o",
  "BatchMode=yes",
  "-o",
  "ServerAliveInterval=15",
  "-o",
  "ServerAliveCountMax=4",
];

/**
 * @param address Of a DUT that another member of a multinode job has started, in place of the dictionary's host.
 * @throws JobFailure Configuration when the dictionary names no host, or one that could not be an argument; Job for such
 * an address.
 */
export function sshTarget(job: JobContext, address?: string): SshTarget {
  const ssh = (job.device.actions.deploy.methods?.["ssh"] ?? {}) as Record<string, unknown>;
  const word = (key: string, fallback: string, pattern: RegExp): string => {
    const value = String(ssh[key] ?? "") || fallback;
    if (pattern.test(value)) return value;
    const where = `actions.deploy.methods.ssh.${key} of device ${job.deviceHostname}`;
    const hint = value === "" ? "it is not set" : `not ${JSON.stringify(value)}`;
    throw new JobFailure("Configuration", `${where}: expected ${EXPECTED[key]}: ${hint}`);
  };
  const host = address === undefined ? word("host", "", HOST) : checkedAddress(address);
  const user = word("user", "root", /^[\w.][\w.@-]*$/);
  const port = word("port", "22", /^\d{1,5}$/);
  const identity = identityFile(job);
  const options = [
    ...(Array.isArray(ssh["options"]) ? ssh["options"].map(String) : []),
    ...OWN_OPTIONS,
    ...(identity === undefined ? [] : ["-i", identity]),
  ];
  return { login: `${user}@${host}`, user, host, port, options };
}

const HOST = /^[\w:.%][\w:.%-]*$/;

function checkedAddress(address: string): string {
  if (HOST.test(address)) return address;
  const message = `the address of the host is ${JSON.stringify(address)}: expected a name or an address`;
  throw new JobFailure("Job", message);
}

const EXPECTED: Readonly<Record<string, string>> = {
  host: "a name or an address (ssh_host in the dictionary)",
  user: "a user's name (ssh_user)",
  port: "a number (ssh_port)",
};
