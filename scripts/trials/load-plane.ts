import { mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { startCloudPlane } from "../../test/support/aws/cloud-plane.ts";
import { root } from "../../test/support/real-lab.ts";
import { serveProcess } from "../../test/support/serve-process.ts";

export type Engine = "embedded" | "aws";

/** The control plane under trial, as its programs and not as a part of this process. */
export interface Plane {
  readonly url: string;
  readonly adminToken: string;
  /** Resident memory of the server in MB; undefined where it is functions that come and go. */
  rssMb(): number | undefined;
  cpuSeconds(): number | undefined;
  /** Files that the server has open; undefined as for memory. */
  openFiles(): number | undefined;
  /** What the server wrote for its operator about failures. */
  complaints(): string[];
  close(): Promise<void>;
}

export async function openPlane(engine: Engine): Promise<Plane> {
  return engine === "aws" ? onAws() : embedded();
}

async function embedded(): Promise<Plane> {
  const dir = mkdtempSync(path.join(tmpdir(), "pumice-load-"));
  const server = await serveProcess(path.join(root, "dist/pumice.mjs"), path.join(dir, "data"));
  const pid = server.process().pid!;
  const proc = (file: string): string => readFileSync(`/proc/${pid}/${file}`, "utf8");
  const complaints: string[] = [];
  server.process().stderr?.on("data", (data: Buffer) => {
    if (complaints.length < 100) complaints.push(...String(data).trim().split("\n"));
  });
  return {
    url: server.url(),
    adminToken: server.adminToken,
    rssMb: () => (Number(/^VmRSS:\s+(\d+)/m.exec(proc("status"))?.[1]) * 1024) / 1e6,
    cpuSeconds: () => {
      const [user, system] = proc("stat").split(") ")[1]!.split(" ").slice(11, 13).map(Number);
      // USER_HZ is 100 wherever Linux runs.
      return ((user ?? 0) + (system ?? 0)) / 100;
    },
    openFiles: () => readdirSync(`/proc/${pid}/fd`).length,
    complaints: () => complaints.filter((line) => /fail|error|exception/i.test(line)),
    async close() {
      await server.close();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

async function onAws(): Promise<Plane> {
  const plane = await startCloudPlane();
  return {
    url: plane.url(),
    adminToken: plane.adminToken,
    rssMb: () => undefined,
    cpuSeconds: () => undefined,
    openFiles: () => undefined,
    complaints: () =>
      plane.cloud.gateway.lines.filter((line) => /"level":"ERROR"|failed/.test(line)),
    close: () => plane.close(),
  };
}
