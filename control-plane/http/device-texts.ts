import type { Context } from "hono";
import * as v from "valibot";
import { putBackSchema } from "#protocol/lab.ts";
import { AppError } from "../domain/app-error.ts";
import type { Deps } from "../domain/deps.ts";
import { requireUser } from "../domain/principal.ts";
import { parse, readJson, readText } from "./read-body.ts";
import { queryNumber, routes, type Env } from "./route.ts";
import { howChanged, MAX_TEXT_BYTES, textResponse } from "./text-bodies.ts";

/** Loaded when it is asked for: most requests are others. */
const texts = () => import("../domain/texts.ts");

const pageQuery = v.object({ limit: v.optional(queryNumber), cursor: v.optional(v.string()) });
const versionQuery = v.object({ version: v.optional(queryNumber) });
const configQuery = v.object({ ...versionQuery.entries, context: v.optional(v.string()) });

const YAML = "application/yaml; charset=utf-8";

/** Loaded when it is used, as all that reads templates or YAML. */
const rules = () => import("../domain/device-texts.ts");

/** A device's dictionary, its versions, and what it renders to. */
export function deviceTextRoutes(deps: Deps) {
  const app = routes();
  app.get("/devices/:hostname/configuration", async (c) => {
    const { deviceConfiguration } = await rules();
    const text = await deviceConfiguration(deps, c.var.principal, c.req.param("hostname"));
    return c.body(text, 200, { "content-type": YAML });
  });
  app.get("/devices/:hostname/config", async (c) => {
    const { version, context } = parse(configQuery, c.req.query(), "query");
    const how = { version, context: await contextOf(context) };
    const { deviceConfig } = await rules();
    const config = await deviceConfig(deps, c.var.principal, c.req.param("hostname"), how);
    return wantsYaml(c) ? c.body(config.text, 200, { "content-type": YAML }) : c.json(config);
  });
  app.get("/devices/:hostname/dictionary", async (c) => {
    const { requireSeeingTexts } = await rules();
    await requireSeeingTexts(deps, c.var.principal, c.req.param("hostname"));
    const { version } = parse(versionQuery, c.req.query(), "query");
    const record = await (await texts()).getText(deps, "device", c.req.param("hostname"), version);
    return textResponse(c, record, record.format === "configuration" ? YAML : undefined);
  });
  app.put("/devices/:hostname/dictionary", async (c) => {
    const principal = requireUser(c.var.principal);
    const text = await readText(c.req.raw, MAX_TEXT_BYTES);
    const hostname = c.req.param("hostname");
    const { putDictionary } = await rules();
    return c.json(await putDictionary(deps, principal, hostname, text, howChanged(c)));
  });
  app.get("/devices/:hostname/versions", async (c) => {
    const { requireSeeingTexts } = await rules();
    await requireSeeingTexts(deps, c.var.principal, c.req.param("hostname"));
    const page = parse(pageQuery, c.req.query(), "query");
    return c.json(
      await (await texts()).listVersions(deps, "device", c.req.param("hostname"), page),
    );
  });
  app.post("/devices/:hostname/put-back", async (c) => {
    const principal = requireUser(c.var.principal);
    const { version } = await readJson(c.req.raw, putBackSchema);
    const { putBackDeviceText } = await rules();
    return c.json(await putBackDeviceText(deps, principal, c.req.param("hostname"), version));
  });
  return app;
}

async function contextOf(text: string | undefined): Promise<Record<string, unknown>> {
  const { readYaml } = await import("#protocol/read-yaml.ts");
  const { value, problems } = readYaml(text ?? "");
  const [problem] = problems;
  if (problem) throw new AppError("invalid", `context: ${problem.message}`);
  if (typeof (value ?? {}) === "object" && !Array.isArray(value)) {
    return (value ?? {}) as Record<string, unknown>;
  }
  throw new AppError("invalid", "context: expected a mapping such as {arch: arm64}");
}

const wantsYaml = (c: Context<Env>): boolean =>
  (c.req.header("accept") ?? "").includes("application/yaml");
