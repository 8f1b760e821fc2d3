import path from "node:path";
import { VERSION } from "#protocol/version.ts";
import { rerunCommand } from "../host/self.ts";
import { parse, required } from "./command-line.ts";
import { defaultWorkDir } from "./default-work-dir.ts";

/** `pumice-worker start`: the agent, until it is stopped. */
export async function start(args: string[]): Promise<number> {
  const { values } = parse(args, {
    url: { type: "string" },
    "token-file": { type: "string" },
    "work-dir": { type: "string" },
    name: { type: "string" },
  });
  const url = required(values, "url");
  const tokenFile = required(values, "token-file");
  const workDir = path.resolve(values["work-dir"] ?? defaultWorkDir());
  const prefix = values.name ? `${values.name} ` : "";
  const { runAgent } = await import("../agent/agent.ts");
  const stop = new AbortController();
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    process.on(signal, () => (stop.signal.aborted ? process.exit(1) : stop.abort()));
  }
  // Whoever read our log has gone: no reason to go as well.
  process.stderr.on("error", () => {});
  const log = (line: string): void => {
    process.stderr.write(`${new Date().toISOString()} ${prefix}${line}\n`);
  };
  log(`pumice-worker ${VERSION}, control plane ${url}, work folder ${workDir}`);
  const runnerCommand = (folder: string) => rerunCommand(["runner", folder]);
  const cleanUpCommand = (folder: string) => rerunCommand(["clean-up", folder]);
  const { tftpForJobs } = await import("../services/agent-tftp.ts");
  const jobBegins = tftpForJobs(workDir, log);
  const options = { url, tokenFile, workDir, runnerCommand, cleanUpCommand, jobBegins, log };
  await runAgent(options, stop.signal);
  log("stopped; running jobs go on");
  return 0;
}
