import type { FuzzTarget } from "./engine/fuzz-target.ts";
import { archives } from "./targets/archives.ts";
import { console } from "./targets/console.ts";
import { faulty } from "./targets/faulty.ts";
import { job } from "./targets/job.ts";
import { logChunks } from "./targets/log-chunks.ts";
import { template } from "./targets/template.ts";
import { tftp } from "./targets/tftp.ts";
import { workerApi } from "./targets/worker-api.ts";
import { xmlrpc } from "./targets/xmlrpc.ts";

/** By the names that `scripts/fuzz` takes. */
export const TARGETS: Readonly<Record<string, FuzzTarget>> = {
  job,
  template,
  xmlrpc,
  "worker-api": workerApi,
  "log-chunks": logChunks,
  console,
  tftp,
  archives,
};

/** The target of that name. */
export const targetOf = (name: string): FuzzTarget | undefined =>
  name === "faulty" ? faulty : TARGETS[name];
