import * as v from "valibot";
import { addWorkerSchema, type WorkerView } from "#protocol/api.ts";
import { editWorkerSchema } from "#protocol/edit-device.ts";
import { WORKER_HEALTHS, WORKER_STATES } from "#protocol/states.ts";
import { AppError } from "../../domain/app-error.ts";
import type { Deps } from "../../domain/deps.ts";
import type { Principal } from "../../domain/principal.ts";
import { parse } from "../../http/read-body.ts";
import { everyWorker } from "../every.ts";
import { asFile } from "../file-answer.ts";
import { badField, needs, RestRefusal, restRoutes } from "./drf.ts";
import type { Fields } from "./lookups.ts";
import { listAnswer } from "./pages.ts";
import { anyText, choice, readFields, someText, wholeNumber } from "./read-fields.ts";

/** Loaded when they are used: most requests are about jobs. */
const workers = () => import("../../domain/workers.ts");
const texts = () => import("../../domain/worker-text-versions.ts");

const FIELDS: Fields<WorkerView> = {
  hostname: { kind: "text", of: ({ name }) => name },
  description: { kind: "text", of: ({ description }) => description },
  version: { kind: "text", of: ({ version }) => version },
  state: { kind: "choice", choices: WORKER_STATES, of: ({ state }) => state },
  health: { kind: "choice", choices: WORKER_HEALTHS, of: ({ health }) => health },
  job_limit: { kind: "number", of: (worker) => worker.job_limit },
  last_ping: { kind: "time", of: (worker) => worker.last_sync },
};
const changes = v.object({
  description: v.optional(anyText),
  health: v.optional(choice(WORKER_HEALTHS)),
  job_limit: v.optional(wholeNumber),
});
const added = v.object({ hostname: someText, ...changes.entries });
type Changes = v.InferOutput<typeof changes>;

/** `/api/v0.2/workers/`. A worker's token is told once, when it is made. */
export function restWorkerRoutes(deps: Deps) {
  const app = restRoutes(deps);
  app.get("/workers/", needs(deps, "read"), async (c) => {
    const rows = await everyWorker({ deps, principal: c.var.principal });
    const searched = ["hostname", "description"];
    return c.json(await listAnswer(c, rows, FIELDS, { searched, view: restWorker }));
  });
  app.post("/workers/", needs(deps, "workers"), async (c) => {
    const { hostname, ...fields } = await readFields(c.req.raw, added);
    const token = await add(deps, c.var.principal, hostname);
    const worker = await edit(deps, c.var.principal, hostname, fields);
    return c.json({ ...restWorker(worker), token }, 201);
  });
  app.get("/workers/:hostname/", needs(deps, "read"), async (c) => {
    const { getWorker } = await workers();
    return c.json(restWorker(await getWorker(deps, c.var.principal, c.req.param("hostname"))));
  });
  app.on(["PUT", "PATCH"], "/workers/:hostname/", needs(deps, "workers"), async (c) => {
    const fields = await readFields(c.req.raw, changes);
    return c.json(restWorker(await edit(deps, c.var.principal, c.req.param("hostname"), fields)));
  });
  app.delete("/workers/:hostname/", needs(deps, "workers"), async (c) => {
    await (await workers()).removeWorker(deps, c.var.principal, c.req.param("hostname"));
    return c.body(null, 204);
  });
  return app;
}

/** Texts that go with a worker's jobs: where they are, our field, LAVA's field of the body and its file. */
const TEXTS = [
  { path: "config", field: "dispatcher", given: "config", file: "dispatcher" },
  { path: "env", field: "env", given: "env", file: "env" },
  { path: "env_dut", field: "env_dut", given: "env", file: "env-dut" },
] as const;

/** `/api/v0.2/workers/W/config/`, `/env/` and, which LAVA has by XML-RPC only, `/env_dut/`. */
export function restWorkerFileRoutes(deps: Deps) {
  const app = restRoutes(deps);
  for (const { path, field, given, file } of TEXTS) {
    app.get(`/workers/:hostname/${path}/`, needs(deps, "read"), async (c) => {
      const hostname = c.req.param("hostname") ?? "";
      const { text } = await (await texts()).getWorkerText(deps, c.var.principal, hostname, field);
      if (text !== "") return asFile(c, text, "application/yaml", `${file}.yaml`);
      throw new RestRefusal(400, { detail: `Worker '${hostname}' does not have '${file}' file` });
    });
    app.post(`/workers/:hostname/${path}/`, needs(deps, "workers"), async (c) => {
      const schema = v.object({ [given]: v.string("Not a valid string.") });
      const text = Object.values(await readFields(c.req.raw, schema))[0] ?? "";
      const hostname = c.req.param("hostname") ?? "";
      await (await texts()).putWorkerText(deps, c.var.principal, hostname, field, text);
      return c.json({ message: "content successfully updated" });
    });
  }
  return app;
}

function restWorker(worker: WorkerView) {
  return {
    hostname: worker.name,
    health: worker.health,
    state: worker.state,
    description: worker.description === "" ? null : worker.description,
    last_ping: worker.last_sync ?? null,
    job_limit: worker.job_limit,
    version: worker.version ?? null,
  };
}

async function add(deps: Deps, principal: Principal, hostname: string): Promise<string> {
  const request = parse(addWorkerSchema, { name: hostname }, "hostname");
  const { addWorker } = await workers();
  try {
    return (await addWorker(deps, principal, request)).token;
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== "conflict") throw error;
    throw badField("hostname", "worker with this Hostname already exists.");
  }
}

async function edit(
  deps: Deps,
  principal: Principal,
  hostname: string,
  { health, ...fields }: Changes,
): Promise<WorkerView> {
  const given = Object.entries(fields).filter(([, value]) => value !== undefined);
  const { editWorker } = await import("../../domain/edit-worker.ts");
  const request = parse(editWorkerSchema, Object.fromEntries(given), "worker");
  const worker = await editWorker(deps, principal, hostname, request);
  if (health === undefined || health === worker.health) return worker;
  const { setWorkerHealth } = await import("../../domain/worker-health.ts");
  return setWorkerHealth(deps, principal, hostname, { health });
}
