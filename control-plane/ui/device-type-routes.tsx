import type { Context } from "hono";
import * as v from "valibot";
import type { AliasView } from "#protocol/lab-lists.ts";
import { accessOf, hasOnLab, mayDoTo } from "../domain/access.ts";
import { AppError } from "../domain/app-error.ts";
import type { Deps } from "../domain/deps.ts";
import { readBoard } from "../domain/device-board.ts";
import { getDeviceType, listDeviceTypes, type DeviceTypeRecord } from "../domain/device-types.ts";
import { durationsOf } from "../domain/durations.ts";
import { deviceTypeKey } from "../domain/keys.ts";
import { listNamed } from "../domain/named-items.ts";
import { requireReader } from "../domain/principal.ts";
import { findText } from "../domain/texts.ts";
import { requireOnLab } from "../domain/visible.ts";
import { parse } from "../http/read-body.ts";
import type { Env } from "../http/route.ts";
import { DeviceTypePage, type TextOrigin } from "./device-type-page.tsx";
import { DeviceTypeTextPage } from "./device-type-text-page.tsx";
import { DeviceTypesPage } from "./device-types-page.tsx";
import { optionalText } from "./page-query.ts";
import { readVersions, versionsQuery } from "./read-versions.ts";
import type { View } from "./view.ts";

const PER_PAGE = 100;
const listQuery = v.object({ cursor: optionalText, all: optionalText });

/** `/device-types`: those that whoever asks may see. */
export async function showTypes(deps: Deps, c: Context<Env>, view: View): Promise<Response> {
  const { cursor, all } = parse(listQuery, c.req.query(), "query");
  const page = { limit: PER_PAGE, cursor };
  const { device_types: types, next_cursor } = await listDeviceTypes(deps, c.var.principal, page);
  const shown = { view, types, withHidden: all !== undefined, cursor, nextCursor: next_cursor };
  return c.html(<DeviceTypesPage {...shown} />) as Response;
}

/** `/device-types/NAME`. Throws `not_found` for one that whoever asks may not see. */
export async function showType(
  deps: Deps,
  c: Context<Env>,
  name: string,
  view: View,
): Promise<Response> {
  const { principal } = c.var;
  const type = await getDeviceType(deps, principal, name);
  const access = await accessOf(deps, requireReader(principal));
  const record = (await deps.table.get<DeviceTypeRecord>(deviceTypeKey(name)))?.data;
  const [board, aliases, durations, texts] = await Promise.all([
    readBoard(deps, principal, { device_type: name }),
    listNamed<AliasView>(deps, "aliases"),
    durationsOf(deps, name),
    hasOnLab(access, "view") ? originsOf(deps, name) : undefined,
  ]);
  const isMine = record !== undefined && mayDoTo(access, record, "admin");
  const grants = isMine ? (record.permissions ?? {}) : undefined;
  const shown = {
    ...{ view, type, devices: board.devices, isPart: board.next_cursor !== undefined },
    aliases: aliases.filter((alias) => alias.device_type === name).map((alias) => alias.name),
    ...{ durations, texts, grants },
  };
  return c.html(<DeviceTypePage {...shown} />) as Response;
}

/** Its template or its health check, for who may see the lab's texts. Throws `not_found`, `forbidden`. */
export async function showTypeText(
  deps: Deps,
  c: Context<Env>,
  { name, which, view }: { name: string; which: "template" | "health-check"; view: View },
): Promise<Response> {
  await requireOnLab(deps, c.var.principal, "view");
  await getDeviceType(deps, c.var.principal, name);
  const query = parse(versionsQuery, c.req.query(), "query");
  const text = which === "template" ? `${name}.jinja2` : name;
  const own = await readVersions(deps, which, text, query).catch((error: unknown) => {
    if (error instanceof AppError && error.code === "not_found") return undefined;
    throw error;
  });
  const isOwn = own !== undefined && (own.current !== undefined || query.version !== undefined);
  const shown = isOwn ? own : (stockText(deps, name, which) ?? own);
  if (shown === undefined) {
    throw new AppError("not_found", `device type ${name} has no ${which.replace("-", " ")}`);
  }
  return c.html(<DeviceTypeTextPage {...{ view, type: name, which, shown }} />) as Response;
}

async function originsOf(
  deps: Deps,
  name: string,
): Promise<{ template: TextOrigin; healthCheck: TextOrigin }> {
  const [template, check] = await Promise.all([
    findText(deps, "template", `${name}.jinja2`),
    findText(deps, "health-check", name),
  ]);
  const origin = (own: unknown, which: "template" | "health-check"): TextOrigin => {
    if (own !== undefined) return "own";
    return stockText(deps, name, which) === undefined ? undefined : "stock";
  };
  return {
    template: origin(template, "template"),
    healthCheck: origin(check, "health-check"),
  };
}

const stockText = (deps: Deps, name: string, which: "template" | "health-check") =>
  deps.templates(which === "template" ? `${name}.jinja2` : `health-checks/${name}.yaml`);
