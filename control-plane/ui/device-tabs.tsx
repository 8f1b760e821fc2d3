import type { Context } from "hono";
import * as v from "valibot";
import { AppError } from "../domain/app-error.ts";
import type { Deps } from "../domain/deps.ts";
import { boardDevice } from "../domain/device-board.ts";
import { listPhotos } from "../domain/device-photos.ts";
import { devicePowers } from "../domain/device-powers.ts";
import { deviceConfig, requireSeeingTexts } from "../domain/device-texts.ts";
import { deviceHistory } from "../domain/histories.ts";
import { listJobs } from "../domain/jobs.ts";
import { nextCheck } from "../domain/next-check.ts";
import { sightOf } from "../domain/visible.ts";
import { parse } from "../http/read-body.ts";
import type { Env } from "../http/route.ts";
import { DeviceConfigurationPage } from "./device-configuration-page.tsx";
import { DeviceDictionaryPage, type RefusedText } from "./device-dictionary-page.tsx";
import { DeviceHistoryPage } from "./device-history-page.tsx";
import { DeviceJobsPage } from "./device-jobs-page.tsx";
import { DevicePage } from "./device-page.tsx";
import { optionalText } from "./page-query.ts";
import { readVersions, versionsQuery } from "./read-versions.ts";
import type { View } from "./view.ts";

const RECENT_JOBS = 10;
const RECENT_CHANGES = 8;
const PER_PAGE = 50;
const cursorQuery = v.object({ cursor: optionalText });

/** `/devices/HOSTNAME` and its tabs, for whoever may see the device; for others it is not there. */
export async function showDevice(
  deps: Deps,
  c: Context<Env>,
  name: string,
  view: View,
): Promise<Response> {
  const { principal } = c.var;
  const { record, device, powers } = await found(deps, c, name);
  const { hostname } = record;
  const [{ jobs }, { changes }, { photos }, check] = await Promise.all([
    listJobs(deps, principal, { device: hostname, limit: RECENT_JOBS }),
    deviceHistory(deps, principal, hostname, { limit: RECENT_CHANGES }),
    listPhotos(deps, principal, hostname),
    nextCheck(deps, record),
  ]);
  const grants = powers.administers ? (record.permissions ?? {}) : undefined;
  const shown = { view, device, jobs, changes, photos, check, powers, grants };
  return c.html(<DevicePage {...shown} />) as Response;
}

/** Its jobs, page by page. */
export async function showJobs(
  deps: Deps,
  c: Context<Env>,
  name: string,
  view: View,
): Promise<Response> {
  const { device } = await found(deps, c, name);
  const { cursor } = parse(cursorQuery, c.req.query(), "query");
  const filter = { device: device.hostname, limit: PER_PAGE, cursor };
  const list = await listJobs(deps, c.var.principal, filter);
  const isFirstPage = cursor === undefined;
  return c.html(<DeviceJobsPage {...{ view, device, list, isFirstPage }} />) as Response;
}

/** Its dictionary with the versions. */
export async function showDictionary(
  deps: Deps,
  c: Context<Env>,
  name: string,
  view: View,
  refused?: RefusedText,
): Promise<Response> {
  const { device, powers } = await found(deps, c, name);
  const query = parse(versionsQuery, c.req.query(), "query");
  await requireSeeingTexts(deps, c.var.principal, device.hostname);
  const isAsked = Object.values(query).some((value) => value !== undefined);
  const shown = await readVersions(deps, "device", device.hostname, query).catch(
    (error: unknown) => {
      // A device without one has a page that says so; a version that there is not has none.
      if (error instanceof AppError && error.code === "not_found" && !isAsked) return undefined;
      throw error;
    },
  );
  const { changes: mayChange } = powers;
  return c.html(
    <DeviceDictionaryPage {...{ view, device, shown, mayChange, refused }} />,
  ) as Response;
}

/** What the dictionary renders to. A device that does not render has a page that says why. */
export async function showConfiguration(
  deps: Deps,
  c: Context<Env>,
  name: string,
  view: View,
): Promise<Response> {
  const { device } = await found(deps, c, name);
  const config = await deviceConfig(deps, c.var.principal, device.hostname).catch(
    (error: unknown) => {
      if (error instanceof AppError) return error.message;
      throw error;
    },
  );
  return c.html(<DeviceConfigurationPage {...{ view, device, config }} />) as Response;
}

/** What happened to it, page by page. */
export async function showHistory(
  deps: Deps,
  c: Context<Env>,
  name: string,
  view: View,
): Promise<Response> {
  const { device } = await found(deps, c, name);
  const { cursor } = parse(cursorQuery, c.req.query(), "query");
  const page = { limit: PER_PAGE, cursor };
  const history = await deviceHistory(deps, c.var.principal, device.hostname, page);
  const isFirstPage = cursor === undefined;
  return c.html(<DeviceHistoryPage {...{ view, device, history, isFirstPage }} />) as Response;
}

async function found(deps: Deps, c: Context<Env>, name: string) {
  const { principal } = c.var;
  const { device: record, powers } = await devicePowers(deps, principal, name);
  const device = boardDevice(deps, await sightOf(deps, principal), record);
  return { record, device, powers };
}
