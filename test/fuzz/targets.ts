import type { FuzzTarget } from "./engine/fuzz-target.ts";

/** By the names that `scripts/fuzz` takes. Each is loaded alone: a thread needs one of them. */
const LOADERS: Readonly<Record<string, () => Promise<FuzzTarget>>> = {
  job: async () => (await import("./targets/job.ts")).job,
  template: async () => (await import("./targets/template.ts")).template,
  xmlrpc: async () => (await import("./targets/xmlrpc.ts")).xmlrpc,
  "worker-api": async () => (await import("./targets/worker-api.ts")).workerApi,
  "log-chunks": async () => (await import("./targets/log-chunks.ts")).logChunks,
  console: async () => (await import("./targets/console.ts")).console,
  tftp: async () => (await import("./targets/tftp.ts")).tftp,
  cloud: async () => (await import("./targets/cloud.ts")).cloud,
  archives: async () => (await import("./targets/archives.ts")).archives,
};

export const TARGET_NAMES: readonly string[] = Object.keys(LOADERS);

/** The target of that name; `faulty` is the one for the fuzzer's own test. Throws when there is none. */
export async function targetOf(name: string): Promise<FuzzTarget> {
  if (name === "faulty") return (await import("./targets/faulty.ts")).faulty;
  const load = LOADERS[name];
  if (!load) throw new Error(`there is no target ${name}`);
  return load();
}

/** The inputs that it begins with. */
export const seedsOf = async (name: string): Promise<Uint8Array[]> =>
  (await targetOf(name)).seeds().map((seed) => Buffer.from(seed as Uint8Array));
