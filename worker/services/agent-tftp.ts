import { mkdirSync } from "node:fs";
import { tftpRoot } from "../host/job-directory.ts";
import { servicePort, servicesAddress } from "./services-address.ts";
import { startTftpServer, type TftpServer } from "./tftp-server.ts";

/** What is read of a ticket; it comes from a file, so nothing is sure. */
export interface TftpTicket {
  readonly job_id: number;
  readonly definition?: unknown;
  readonly dispatcher?: unknown;
}

export interface AgentTftp {
  readonly jobBegins: (ticket: TftpTicket) => void;
  /** Somebody is just being sent a file: not the moment to end. */
  readonly isBusy: () => boolean;
}

/** Somewhere in a job's text. Each of its runs of spaces has one place only: the text is anybody's, and the agent waits. */
const DEPLOYS_BY_TFTP = /\bto['"]?\s*:\s*['"]?(?:tftp|nbd)\b/;

/**
 * The agent's part in TFTP: a port is one machine's, jobs are many. Given each job that begins, it serves the work
 * folder's `tftp` from the first one on that deploys by TFTP, at the address and port of the worker's settings; with
 * `tftp_dir` it does nothing. What fails is logged, and the job's runner says it to who sent the job.
 */
export function tftpForJobs(workDir: string, log: (line: string) => void): AgentTftp {
  const started = new Set<string>();
  const servers: TftpServer[] = [];
  const jobBegins = ({ job_id: id, definition, dispatcher }: TftpTicket): void => {
    if (!DEPLOYS_BY_TFTP.test(String(definition ?? ""))) return;
    let at = "";
    const begin = async (): Promise<void> => {
      // Half of what an agent would have to load, most of which never serve TFTP.
      const { readYaml } = await import("#protocol/read-yaml.ts");
      const settings = (readYaml(String(dispatcher ?? "")).value ?? {}) as Record<string, unknown>;
      if (settings["tftp_dir"]) return;
      const address = servicesAddress(settings);
      const port = servicePort(settings, "tftp_port", 69);
      at = `${address}:${port}`;
      if (started.has(at) || port === 0) return;
      started.add(at);
      const root = tftpRoot(workDir);
      mkdirSync(root, { recursive: true, mode: 0o700 });
      servers.push(await startTftpServer({ address, port, root }));
      log(`serving TFTP on ${at}`);
    };
    begin().catch((error: unknown) => {
      started.delete(at);
      log(`job ${id}: no TFTP server here: ${(error as Error).message}`);
    });
  };
  return { jobBegins, isBusy: () => servers.some((server) => server.isBusy) };
}
