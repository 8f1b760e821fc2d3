import { hostname } from "node:os";
import path from "node:path";
import { makeFolder } from "../host/make-folder.ts";
import type { AgentOptions } from "../agent/agent.ts";
import { writePrivateFile } from "../host/settings-file.ts";
import { UsageError } from "./command-line.ts";
import { defaultWorkDir } from "./default-work-dir.ts";

/** Options of `start` for a worker of a stock LAVA server. */
export const LAVA_OPTIONS = {
  protocol: { type: "string" },
  token: { type: "string" },
  version: { type: "string" },
  "ping-interval": { type: "string" },
  "ws-url": { type: "string" },
} as const;

interface LavaValues {
  url?: string | undefined;
  token?: string | undefined;
  "token-file"?: string | undefined;
  version?: string | undefined;
  "ping-interval"?: string | undefined;
  "ws-url"?: string | undefined;
}

/** As the stock worker; a server takes one for lost after three of them. */
const PING_SECONDS = 20;
const MOST_PING_SECONDS = 60;

/** Whether the far side is a LAVA server. */
export function speaksLava(protocol: string | undefined): boolean {
  if (protocol === undefined || protocol === "pumice") return false;
  if (protocol === "lava") return true;
  throw new UsageError(`--protocol ${protocol}: expected pumice or lava`);
}

/** @throws UsageError for an option that our own control plane's worker would not heed. */
export function refuseLavaOptions(values: LavaValues): void {
  if (values.token !== undefined) {
    throw new UsageError(
      "--token: others on this machine see what is typed; put the token into a file, --token-file FILE",
    );
  }
  for (const name of ["version", "ping-interval", "ws-url"] as const) {
    if (values[name] !== undefined) throw new UsageError(`--${name} goes with --protocol lava`);
  }
}

/** Jobs of a LAVA server have numbers that a lab of ours has given to others. */
export const lavaWorkDir = (): string => `${defaultWorkDir()}-lava`;

/**
 * The server and the file with this worker's token there: one that was given as an option is written into the work folder. From options only: a settings
 * file is of a lab of ours, whose token no other server shall see.
 */
export function lavaServerOf(
  { url, token, "token-file": tokenFile }: LavaValues,
  workDir: string,
): { url: string; tokenFile: string } {
  if (!url) throw new UsageError("--url is missing: expected that of the LAVA server");
  if (token && tokenFile) throw new UsageError("--token and --token-file: expected one of them");
  if (tokenFile) return { url, tokenFile };
  if (!token) {
    throw new UsageError(
      '--token-file is missing: expected a file with the token of this worker, which "lavacli workers show NAME" and the page of the worker show administrators',
    );
  }
  makeFolder(workDir, 0o700);
  const file = path.join(workDir, "token");
  writePrivateFile(file, `${token}\n`);
  return { url, tokenFile: file };
}

/** What the agent has in place of a control plane. */
export async function lavaOf(
  values: LavaValues,
  url: string,
  name = hostname(),
): Promise<Pick<AgentOptions, "connect">> {
  const { version, "ws-url": eventUrl, "ping-interval": interval = PING_SECONDS } = values;
  const pingSeconds = Number(interval);
  if (!(pingSeconds >= 1 && pingSeconds <= MOST_PING_SECONDS)) {
    throw new UsageError(`--ping-interval: expected seconds, from 1 to ${MOST_PING_SECONDS}`);
  }
  const { lavaServer } = await import("../lava-server/connect.ts");
  return {
    connect: lavaServer({
      url,
      name,
      version,
      pingSeconds,
      eventUrl: eventUrl?.replace(/^http/, "ws"),
    }),
  };
}
