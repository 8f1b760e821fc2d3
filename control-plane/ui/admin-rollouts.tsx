import type { Context } from "hono";
import { pinSchema, startRolloutSchema } from "#protocol/release-api.ts";
import { AppError } from "../domain/app-error.ts";
import type { Deps } from "../domain/deps.ts";
import { pinWorker, unpinWorker } from "../domain/pins.ts";
import { requireAdmin } from "../domain/principal.ts";
import { listReleaseKeys } from "../domain/release-keys.ts";
import { listReleases, removeRelease } from "../domain/releases.ts";
import { getRollout, startRollout, stopRollout, widenRollout } from "../domain/rollout.ts";
import { parse } from "../http/read-body.ts";
import type { Env } from "../http/route.ts";
import { RolloutsPage } from "./admin-rollouts-page.tsx";
import { answerForm, typed, type Said } from "./answer-form.ts";
import type { View } from "./view.ts";

async function show(deps: Deps, c: Context<Env>, view: View, message?: Said) {
  const admin = requireAdmin(c.var.principal);
  const { rollout } = await getRollout(deps, admin);
  const { releases } = await listReleases(deps, admin);
  const keys = (await listReleaseKeys(deps, admin)).release_keys;
  const props = { view, rollout, releases, keys, message };
  return c.html(<RolloutsPage {...props} />) as Response;
}

const form =
  (act: (deps: Deps, c: Context<Env>, fields: URLSearchParams) => Promise<unknown>) =>
  (deps: Deps, c: Context<Env>, view: View): Promise<Response> =>
    answerForm(
      c,
      async (fields) => {
        await act(deps, c, fields);
        return c.redirect("/admin/releases", 303);
      },
      (message) => show(deps, c, view, message),
    );

const start = form(async (deps, c, fields) => {
  const admin = requireAdmin(c.var.principal);
  const worker = typed(fields, "worker");
  const request = {
    version: fields.get("version"),
    stage: fields.get("stage"),
    ...(worker === undefined ? {} : { worker }),
  };
  await startRollout(deps, admin, parse(startRolloutSchema, request, "roll-out"));
});

/** Pins a worker to a version; without one it is free again. */
const pin = form(async (deps, c, fields) => {
  const admin = requireAdmin(c.var.principal);
  const worker = typed(fields, "worker");
  if (worker === undefined) throw new AppError("invalid", "name a worker");
  const version = typed(fields, "version");
  if (version === undefined) await unpinWorker(deps, admin, worker);
  else await pinWorker(deps, admin, worker, parse(pinSchema, { version }, "pin"));
});

export const handlers = {
  "GET /admin/releases": (deps: Deps, c: Context<Env>, view: View) => show(deps, c, view),
  "POST /admin/releases/start": start,
  "POST /admin/releases/next": form((deps, c) => widenRollout(deps, c.var.principal)),
  "POST /admin/releases/stop": form((deps, c) => stopRollout(deps, c.var.principal)),
  "POST /admin/releases/remove": form((deps, c, fields) =>
    removeRelease(deps, c.var.principal, fields.get("version") ?? ""),
  ),
  "POST /admin/releases/pin": pin,
};
