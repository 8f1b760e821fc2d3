import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { freePort } from "../support/loopback-ports.ts";

export interface NfsServer {
  readonly port: number;
  /** The exported folder: a worker's `nfs_root`. */
  readonly exported: string;
  close(): Promise<void>;
}

export const PROGRAM = "/usr/bin/ganesha.nfsd";

/**
 * A lab's NFS server, version 4, as a program of ours: nfs-ganesha, on a loopback address. It exports one folder with the
 * rights that boards need.
 *
 * @param wanted a port; else a free one.
 * @throws with what it said when it doesn't start (it has to be root).
 */
export async function startGanesha(
  folder: string,
  address: string,
  wanted?: number,
): Promise<NfsServer> {
  const exported = path.join(folder, "exported");
  const recovery = path.join(folder, "recovery");
  for (const dir of [exported, recovery]) await mkdir(dir, { recursive: true });
  const port = wanted ?? (await freePort());
  const config = path.join(folder, "ganesha.conf");
  const log = path.join(folder, "ganesha.log");
  await writeFile(
    config,
    `NFS_CORE_PARAM { Protocols = 4; NFS_Port = ${port}; Bind_addr = ${address}; Enable_NLM = false; Enable_RQUOTA = false; mount_path_pseudo = true; }
NFSV4 { Graceless = true; RecoveryBackend = fs; RecoveryRoot = ${recovery}; }
EXPORT { Export_Id = 1; Path = ${exported}; Pseudo = ${exported}; Access_Type = RW; Squash = No_Root_Squash; SecType = sys; Protocols = 4; Transports = TCP; PrivilegedPort = false; FSAL { Name = VFS; } }
`,
  );
  const argv = ["-F", "-f", config, "-L", log, "-p", path.join(folder, "ganesha.pid")];
  const server = spawn(PROGRAM, [...argv, "-N", "NIV_EVENT"], { stdio: "ignore" });
  const exited = once(server, "exit");
  const said = (): string => (existsSync(log) ? readFileSync(log, "utf8") : "");
  while (!said().includes("NFS SERVER INITIALIZED")) {
    const next = new Promise((resolve) => setTimeout(resolve, 50, "again"));
    if ((await Promise.race([exited, next])) === "again") continue;
    throw new Error(`${PROGRAM} ended: ${said().trim().split("\n").at(-1)}`);
  }
  return {
    port,
    exported,
    close: async () => {
      // Its own way to end takes seconds, and it has nothing to keep.
      server.kill("SIGKILL");
      await exited;
    },
  };
}
