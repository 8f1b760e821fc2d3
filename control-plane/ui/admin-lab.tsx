import type { Context } from "hono";
import * as v from "valibot";
import {
  isSettingsSection,
  putSettingsSchema,
  SETTINGS_SECTIONS,
  type SettingsSection,
} from "#protocol/lab-settings.ts";
import { readYaml } from "#protocol/read-yaml.ts";
import { sourceProblems } from "#protocol/source-problems.ts";
import { AppError } from "../domain/app-error.ts";
import type { Deps } from "../domain/deps.ts";
import { getSettings, putSettings } from "../domain/lab-settings.ts";
import { requireAdmin } from "../domain/principal.ts";
import { parse } from "../http/read-body.ts";
import type { Env } from "../http/route.ts";
import { OverviewPage, SettingsPage, type TypedSection } from "./admin-lab-pages.tsx";
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
  shown: { message?: Said; typed?: TypedSection } = {},
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
      const text = (fields.get("text") ?? "").replaceAll("\r\n", "\n");
      const { value, problems } = fields.has("reset") ? DEFAULTS : sectionIn(section, text);
      if (problems.length > 0) {
        c.status(400);
        const message = {
          text: `${section} was refused; what is wrong stands there.`,
          isBad: true,
        };
        return showSettings(deps, c, view, { message, typed: { section, text, problems } });
      }
      const request = { settings: { [section]: value }, version: Number(fields.get("version")) };
      await putSettings(deps, admin, parse(putSettingsSchema, request, "settings"));
      return c.redirect(`/admin/settings#${section}`, 303);
    },
    (message, fields) =>
      showSettings(deps, c, view, {
        message,
        typed: {
          ...{ section: fields.get("section") ?? "", text: fields.get("text") ?? "" },
          problems: [],
        },
      }),
  );

const DEFAULTS = { value: null, problems: [] };

/** What a section's text says, and what is wrong with it, each with its place. */
function sectionIn(section: SettingsSection, text: string) {
  const { value = {}, problems, locate } = readYaml(text);
  if (problems.length > 0) return { value, problems };
  const { issues = [] } = v.safeParse(SETTINGS_SECTIONS[section], value ?? {});
  return { value: value ?? {}, problems: sourceProblems(issues, locate) };
}

export const handlers = {
  "GET /admin": showOverview,
  "GET /admin/settings": (deps: Deps, c: Context<Env>, view: View) => showSettings(deps, c, view),
  "POST /admin/settings": putSectionByForm,
};
