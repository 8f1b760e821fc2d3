import * as v from "valibot";
import { addWorkerSchema } from "#protocol/api.ts";
import { editWorkerSchema } from "#protocol/edit-device.ts";
import type { WorkerTextName } from "#protocol/lab.ts";
import { WORKER_HEALTHS, type WorkerHealth } from "#protocol/states.ts";
import { AppError } from "../../domain/app-error.ts";
import { parse } from "../../http/read-body.ts";
import { workerDetails } from "../shapes/worker.ts";
import { everyWorker } from "../every.ts";
import { Fault, named } from "./fault.ts";
import { flag, fromZero, maybe, method, name, text, type Call, type Method } from "./method.ts";
import type { XmlRpcValue } from "./xml-value.ts";

const W = "scheduler.workers.";
const workers = () => import("../../domain/workers.ts");
const health = () => import("../../domain/worker-health.ts");

async function show({ deps, principal }: Call, hostname: string): Promise<XmlRpcValue> {
  const { getWorker, getWorkerSettings } = await workers();
  const worker = await named("Worker", hostname, getWorker(deps, principal, hostname));
  const texts = await getWorkerSettings(deps, principal, hostname).catch((error: unknown) => {
    if (error instanceof AppError) return undefined;
    throw error;
  });
  return workerDetails(worker, texts);
}

async function add(
  { deps, principal }: Call,
  {
    hostname,
    description,
    disabled,
  }: { hostname: string; description: string | undefined; disabled: boolean },
): Promise<null> {
  const request = parse(addWorkerSchema, { name: hostname, description }, "worker");
  const { addWorker } = await workers();
  try {
    await addWorker(deps, principal, request);
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== "conflict") throw error;
    throw new Fault(400, "Bad request: worker already exists?");
  }
  if (disabled) {
    const reason = "added as disabled";
    await (
      await health()
    ).setWorkerHealth(deps, principal, hostname, { health: "Retired", reason });
  }
  return null;
}

async function update(
  { deps, principal }: Call,
  {
    hostname,
    description,
    health: wanted,
    job_limit,
  }: {
    hostname: string;
    description: string | undefined;
    health: string | undefined;
    job_limit: number | undefined;
  },
): Promise<null> {
  const word = wanted === undefined ? undefined : healthOf(wanted);
  const fields = {
    ...(description === undefined ? {} : { description }),
    ...(job_limit === undefined ? {} : { job_limit }),
  };
  const request = parse(editWorkerSchema, fields, "worker");
  const { editWorker } = await import("../../domain/edit-worker.ts");
  // Also where nothing is to change: whoever may not is told so.
  await named("Worker", hostname, editWorker(deps, principal, hostname, request));
  if (word !== undefined) {
    await (await health()).setWorkerHealth(deps, principal, hostname, { health: word });
  }
  return null;
}

function healthOf(word: string): WorkerHealth {
  const found = WORKER_HEALTHS.find((one) => one.toLowerCase() === word.toLowerCase());
  if (found === undefined) throw new Fault(400, `Invalid health: ${word}`);
  return found;
}

/** `get_config` and `set_config`, and the same of the environments. */
function textMethods(
  what: string,
  field: WorkerTextName,
  argument: string,
  about: string,
): Method[] {
  const texts = () => import("../../domain/worker-text-versions.ts");
  return [
    method(
      `${W}get_${what}`,
      "read",
      { hostname: name },
      `${about}, for those who may change the worker.`,
      async ({ deps, principal }, { hostname }) => {
        const { getWorkerText } = await texts();
        const found = await named(
          "Worker",
          hostname,
          getWorkerText(deps, principal, hostname, field),
        );
        return new TextEncoder().encode(found.text);
      },
    ),
    method(
      `${W}set_${what}`,
      "workers",
      { hostname: name, [argument]: text },
      `Replaces: ${about}. Answers true.`,
      async ({ deps, principal }, { hostname, ...rest }) => {
        const { putWorkerText } = await texts();
        const given = String(Object.values(rest)[0]);
        await named("Worker", hostname, putWorkerText(deps, principal, hostname, field, given));
        return true;
      },
    ),
  ];
}

/** `scheduler.workers` */
export const workerMethods = [
  method(W + "list", "read", {}, "Names of all workers.", async (call) =>
    (await everyWorker(call)).map((worker) => worker.name),
  ),
  method(
    W + "show",
    "read",
    { hostname: name },
    "What there is to know of a worker. Its token is not: ours are kept as hashes.",
    (call, { hostname }) => show(call, hostname),
  ),
  method(
    W + "add",
    "workers",
    { hostname: name, description: maybe(text), disabled: v.nullish(flag, false) },
    "Makes a worker. It gets its token by `pumice workers enrol` or the web page.",
    (call, args) => add(call, args),
  ),
  method(
    W + "update",
    "workers",
    { hostname: name, description: maybe(text), health: maybe(name), job_limit: maybe(fromZero) },
    "Changes what is given. health: ACTIVE, MAINTENANCE or RETIRED.",
    (call, args) => update(call, args),
  ),
  ...textMethods("config", "dispatcher", "config", "The worker's dispatcher configuration (YAML)"),
  ...textMethods("env", "env", "env", "The environment of its jobs (YAML)"),
  ...textMethods("env_dut", "env_dut", "env", "The environment on its devices (YAML)"),
];
