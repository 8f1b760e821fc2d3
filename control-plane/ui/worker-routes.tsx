import type { Context } from "hono";
import type { JobView, WorkerView } from "#protocol/api.ts";
import { workerTextName, type WorkerTextName } from "#protocol/lab.ts";
import { WORKER_HEALTHS } from "#protocol/states.ts";
import * as v from "valibot";
import { mayDoTo, accessOf } from "../domain/access.ts";
import { AppError } from "../domain/app-error.ts";
import type { Deps } from "../domain/deps.ts";
import { workerHistory } from "../domain/histories.ts";
import { readBoard } from "../domain/device-board.ts";
import { getJob } from "../domain/jobs.ts";
import { requireReader, requireUser, type Principal } from "../domain/principal.ts";
import { findRollout, isChosen, type RolloutRecord } from "../domain/rollout-record.ts";
import { setWorkerHealth } from "../domain/worker-health.ts";
import { getWorkerItem, readAssignments } from "../domain/worker-record.ts";
import {
  getWorkerText,
  putWorkerText,
  workerTextVersions,
} from "../domain/worker-text-versions.ts";
import { getWorker, listWorkers } from "../domain/workers.ts";
import { parse, readText } from "../http/read-body.ts";
import { queryNumber, type Env } from "../http/route.ts";
import { optionalText } from "./page-query.ts";
import { WorkerPage, type WorkerText } from "./worker-page.tsx";
import { WorkerTextPage } from "./worker-text-page.tsx";
import { WorkersPage } from "./workers-page.tsx";
import type { View } from "./view.ts";

const CHANGES = 30;
const VERSIONS = 20;
const SHOWN_JOBS = 50;
const TEXTS: readonly WorkerTextName[] = workerTextName.options;
/** A form escapes what it sends: three bytes for one at the most. */
const MAX_FORM_BYTES = 3 * 256 * 1024 + 4096;

const healthForm = v.object({
  health: v.picklist(WORKER_HEALTHS),
  reason: v.optional(v.pipe(v.string(), v.maxLength(1000))),
});
const listQuery = v.object({ cursor: optionalText });
const versionQuery = v.object({ version: v.optional(queryNumber) });
const textForm = v.object({
  text: v.string(),
  comment: v.optional(v.pipe(v.string(), v.maxLength(1000)), ""),
  version: queryNumber,
});

/** `/workers`: a page of them, with what each runs and what the roll-out gives it. */
export async function showWorkers(deps: Deps, c: Context<Env>, view: View): Promise<Response> {
  const { cursor } = parse(listQuery, c.req.query(), "query");
  const page = await listWorkers(deps, c.var.principal, { cursor });
  const rollout = (await findRollout(deps))?.data;
  const workers = await Promise.all(
    page.workers.map(async (worker) => {
      const { jobIds } = await readAssignments(deps, worker.name);
      return { worker, jobs: jobIds.length, next: nextVersion(deps, worker, rollout) };
    }),
  );
  const shown = { view, workers, rollout, nextCursor: page.next_cursor };
  return c.html(<WorkersPage {...shown} isFirstPage={cursor === undefined} />) as Response;
}

/** `/workers/NAME`, and what its forms do. */
export async function showWorker(
  deps: Deps,
  c: Context<Env>,
  name: string,
  view: View,
): Promise<Response> {
  const { principal } = c.var;
  const worker = await getWorker(deps, principal, name);
  const powers = await powersOf(deps, principal, name);
  const { jobIds } = await readAssignments(deps, name);
  const jobs = await jobsOn(deps, principal, jobIds);
  const { devices } = await readBoard(deps, principal, { worker: name });
  const rollout = rolloutText(deps, worker, (await findRollout(deps))?.data);
  const { changes } = await workerHistory(deps, principal, name, { limit: CHANGES });
  const texts = powers.changes ? await textsOf(deps, principal, name) : undefined;
  const grants = powers.administers
    ? ((await getWorkerItem(deps, name)).data.permissions ?? {})
    : undefined;
  const load = jobIds.length;
  const shown = { view, worker, powers, jobs, load, devices, rollout, changes, texts, grants };
  return c.html(<WorkerPage {...shown} />) as Response;
}

/** Drains a worker, with all its devices, and takes it back. */
export async function setHealthByForm(
  deps: Deps,
  c: Context<Env>,
  name: string,
): Promise<Response> {
  const fields = Object.fromEntries(new URLSearchParams(await readText(c.req.raw, 8192)));
  await setWorkerHealth(
    deps,
    requireUser(c.var.principal),
    name,
    parse(healthForm, fields, "form"),
  );
  return c.redirect(`/workers/${encodeURIComponent(name)}`, 303);
}

/** `/workers/NAME/texts/TEXT`: as it is or was, to edit it, with its versions. */
export async function showWorkerText(
  deps: Deps,
  c: Context<Env>,
  name: string,
  view: View,
): Promise<Response> {
  const field = parse(workerTextName, c.req.param("text"), "text");
  const { version } = parse(versionQuery, c.req.query(), "query");
  const { text } = await getWorkerText(deps, c.var.principal, name, field, version);
  return textPage(deps, c, { name, field, view, text, version });
}

/** A text that is saved; one that is refused is shown again with the reason. */
export async function putTextByForm(
  deps: Deps,
  c: Context<Env>,
  name: string,
  view: View,
): Promise<Response> {
  const field = parse(workerTextName, c.req.param("text"), "text");
  const body = Object.fromEntries(new URLSearchParams(await readText(c.req.raw, MAX_FORM_BYTES)));
  const { text: given, comment, version } = parse(textForm, body, "form");
  // A form sends its line breaks as CR LF, whatever was pasted.
  const text = given.replaceAll("\r\n", "\n");
  try {
    const how = { comment, ifVersion: version };
    await putWorkerText(deps, c.var.principal, name, field, text, how);
    return c.redirect(`/workers/${encodeURIComponent(name)}`, 303);
  } catch (error) {
    const isShown = error instanceof AppError && ["invalid", "conflict"].includes(error.code);
    if (!isShown) throw error;
    const refusal = (error as AppError).message;
    c.status((error as AppError).code === "invalid" ? 400 : 409);
    return textPage(deps, c, { name, field, view, text, refusal });
  }
}

async function textPage(
  deps: Deps,
  c: Context<Env>,
  shown: {
    name: string;
    field: WorkerTextName;
    view: View;
    text: string;
    version?: number | undefined;
    refusal?: string;
  },
): Promise<Response> {
  const { principal } = c.var;
  const { name, field } = shown;
  const { version: current } = await getWorkerText(deps, principal, name, field);
  const { versions } = await workerTextVersions(deps, principal, name, field, { limit: VERSIONS });
  return c.html(<WorkerTextPage {...shown} current={current} versions={versions} />) as Response;
}

/** Those that have a device of the worker and that the person may see. */
async function jobsOn(
  deps: Deps,
  principal: Principal,
  jobIds: readonly number[],
): Promise<JobView[]> {
  const jobs = jobIds.slice(0, SHOWN_JOBS).map((id) =>
    getJob(deps, principal, id).catch((error: unknown) => {
      if (error instanceof AppError && error.code === "not_found") return undefined;
      throw error;
    }),
  );
  return (await Promise.all(jobs)).filter((job) => job !== undefined);
}

/** What the roll-out gives a worker that has another version; one that has told of an upgrade says itself how that goes. */
function nextVersion(
  deps: Deps,
  worker: WorkerView,
  rollout: RolloutRecord | undefined,
): string | undefined {
  if (!rollout?.active || worker.pin || worker.upgrade || worker.kind === "stock") return undefined;
  if (worker.version === undefined || worker.version === rollout.version) return undefined;
  return isChosen(deps, rollout, worker) ? rollout.version : undefined;
}

function rolloutText(deps: Deps, worker: WorkerView, rollout: RolloutRecord | undefined): string {
  if (!rollout || worker.version === rollout.version || worker.kind === "stock") return "";
  const { version, active } = rollout;
  if (worker.pin) return `${version} passes it by: it is pinned`;
  if (!active) return `${version} is stopped`;
  return isChosen(deps, rollout, worker) ? `gets ${version} next` : `${version} at a later stage`;
}

async function powersOf(deps: Deps, principal: Principal, name: string) {
  const access = await accessOf(deps, requireReader(principal));
  const { data } = await getWorkerItem(deps, name);
  const isUser = principal.kind === "user" || principal.kind === "session";
  return {
    changes: isUser && mayDoTo(access, data, "change"),
    administers: isUser && mayDoTo(access, data, "admin"),
  };
}

const textsOf = (deps: Deps, principal: Principal, name: string): Promise<WorkerText[]> =>
  Promise.all(
    TEXTS.map(async (field) => {
      const { text, version } = await getWorkerText(deps, principal, name, field);
      return { field, version, lines: text === "" ? 0 : text.trimEnd().split("\n").length };
    }),
  );
