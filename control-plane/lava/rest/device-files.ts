import * as v from "valibot";
import { AppError } from "../../domain/app-error.ts";
import type { Deps } from "../../domain/deps.ts";
import { readText } from "../../http/read-body.ts";
import { asFile } from "../file-answer.ts";
import { needs, needsUser, RestRefusal, restRoutes } from "./drf.ts";
import { readFields, someText } from "./read-fields.ts";

/** Loaded when they are used, as all that reads templates or YAML. */
const rules = () => import("../../domain/device-texts.ts");
const MAX_DICTIONARY_BYTES = 1024 * 1024;
const dictionarySchema = v.object({ dictionary: someText });

/** `/api/v0.2/devices/H/dictionary/` and `/devices/validate/` */
export function restDeviceFileRoutes(deps: Deps) {
  const app = restRoutes(deps);
  app.post("/devices/validate/", needsUser(deps), async (c) => {
    const isText = (c.req.header("content-type") ?? "").startsWith("text/");
    const text = isText
      ? await readText(c.req.raw, MAX_DICTIONARY_BYTES)
      : (await readFields(c.req.raw, dictionarySchema)).dictionary;
    const { checkDeviceText } = await rules();
    const source = { hostname: "device", device_type: "", text, format: "dictionary" } as const;
    try {
      await checkDeviceText(deps, source);
    } catch (error) {
      if (!(error instanceof AppError) || error.code !== "invalid") throw error;
      const why = error.message.replace(/^dictionary: /, "");
      return c.json({ message: `Device dictionary invalid: ${why}` });
    }
    return c.json({ message: "Device dictionary valid." });
  });
  app.get("/devices/:hostname/dictionary/", needs(deps, "read"), async (c) => {
    const hostname = c.req.param("hostname");
    const { deviceConfig, requireSeeingTexts } = await rules();
    await requireSeeingTexts(deps, c.var.principal, hostname);
    const wantsRendered = /^(true|1|yes)$/i.test(c.req.query("render") ?? "");
    const { getText } = await import("../../domain/texts.ts");
    const stored = await orNoConfiguration(hostname, getText(deps, "device", hostname));
    if (!wantsRendered && stored.format !== "configuration") {
      return asFile(c, stored.text, "text/plain", `${hostname}.jinja2`);
    }
    const how = { context: await contextOf(c.req.query("context")) };
    const { text } = await deviceConfig(deps, c.var.principal, hostname, how);
    return asFile(c, text, "application/yaml", `${hostname}.yaml`);
  });
  app.post("/devices/:hostname/dictionary/", needs(deps, "workers"), async (c) => {
    const { dictionary } = await readFields(c.req.raw, dictionarySchema);
    const { putDictionary } = await rules();
    await putDictionary(deps, c.var.principal, c.req.param("hostname"), dictionary);
    return c.json({ message: "device config successfully updated" });
  });
  return app;
}

async function orNoConfiguration<T>(hostname: string, found: Promise<T>): Promise<T> {
  try {
    return await found;
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== "not_found") throw error;
    throw new RestRefusal(400, { detail: `Device '${hostname}' does not have a configuration` });
  }
}

async function contextOf(text = ""): Promise<Record<string, unknown>> {
  const { readYaml } = await import("#protocol/read-yaml.ts");
  const { value, problems } = readYaml(text);
  const isMapping = typeof (value ?? {}) === "object" && !Array.isArray(value);
  const [problem] = problems;
  if (!problem && isMapping) return (value ?? {}) as Record<string, unknown>;
  const why = problem?.message ?? "expected a mapping such as {arch: arm64}";
  const detail = `Job Context '${text.slice(0, 200)}' is not valid: ${why}`;
  throw new RestRefusal(400, { detail });
}
