import type { Context } from "hono";
import {
  isSettingsSection,
  putSettingsSchema,
  type SettingsSection,
} from "#protocol/lab-settings.ts";
import { readYaml } from "#protocol/read-yaml.ts";
import { AppError } from "../domain/app-error.ts";
import type { Deps } from "../domain/deps.ts";
import { getSettings, putSettings } from "../domain/lab-settings.ts";
import { requireAdmin } from "../domain/principal.ts";
import { parse } from "../http/read-body.ts";
import type { Env } from "../http/route.ts";
import { OverviewPage, SettingsPage } from "./admin-lab-pages.tsx";
import { answerForm, type Said } from "./answer-form.ts";
import type { View } from "./view.ts";

async function showOverview(deps: Deps, c: Context<Env>, view: View) {
  requireAdmin(c.var.principal);
  return c.html(<OverviewPage view={view} engine={deps.settings.engine} />) as Response;
}

async function showSettings(
  deps: Deps,
  c: Context<Env>,
  view: View,
  shown: { message?: Said; typed?: { section: string; text: string } } = {},
) {
  const { settings, version } = await getSettings(deps, c.var.principal);
  const props = { view, settings, version, ...shown };
  return c.html(<SettingsPage {...props} />) as Response;
}

/** Fields `section`, `version` that was read, and `text`; or `reset` for the defaults. */
const putSectionByForm = (deps: Deps, c: Context<Env>, view: View): Promise<Response> =>
  answerForm(
    c,
    async (fields) => {
      const admin = requireAdmin(c.var.principal);
      const section = fields.get("section") ?? "";
      if (!isSettingsSection(section)) throw new AppError("invalid", "there is no such section");
      const value = fields.has("reset") ? null : sectionIn(section, fields.get("text") ?? "");
      const request = { settings: { [section]: value }, version: Number(fields.get("version")) };
      await putSettings(deps, admin, parse(putSettingsSchema, request, "settings"));
      return c.redirect(`/admin/settings#${section}`, 303);
    },
    (message, fields) =>
      showSettings(deps, c, view, {
        message,
        typed: { section: fields.get("section") ?? "", text: fields.get("text") ?? "" },
      }),
  );

function sectionIn(section: SettingsSection, text: string): unknown {
  const { value, problems } = readYaml(text);
  const [problem] = problems;
  if (!problem) return value ?? {};
  throw new AppError("invalid", `${section}, line ${problem.line}: ${problem.message}`);
}

export const handlers = {
  "GET /admin": showOverview,
  "GET /admin/settings": (deps: Deps, c: Context<Env>, view: View) => showSettings(deps, c, view),
  "POST /admin/settings": putSectionByForm,
};
