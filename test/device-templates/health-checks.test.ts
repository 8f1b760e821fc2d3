import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { readDeviceConfiguration } from "#protocol/device-configuration.ts";
import { readJobDefinition } from "#protocol/job-definition.ts";
import { strategyAsked } from "#protocol/job-strategies.ts";
import { stockTemplates, stockTemplatesFolder } from "../../control-plane/stock-templates.ts";
import { render } from "../../control-plane/templates/render.ts";

const folder = path.join(stockTemplatesFolder(), "health-checks");
const templates = stockTemplates();
const names = readdirSync(folder).map((name) => name.replace(/\.yaml$/, ""));

describe("health checks", () => {
  it("are jobs without a fault or a warning, for the type that they are named after", () => {
    const wrong = names.flatMap((name) => {
      const read = readJobDefinition(readFileSync(path.join(folder, `${name}.yaml`), "utf8"));
      const told = [...read.problems, ...read.warnings].map(({ message }) => `${name}: ${message}`);
      if (read.definition && read.definition.device_type !== name) told.push(`${name}: other type`);
      return told;
    });
    expect(names.length).toBeGreaterThan(300);
    expect(wrong).toEqual([]);
  });

  it("ask for what their device type offers", () => {
    const refused = names.flatMap((name) => {
      const { definition } = readJobDefinition(
        readFileSync(path.join(folder, `${name}.yaml`), "utf8"),
      );
      const dictionary = `{% extends '${name}.jinja2' %}`;
      const load = (wanted: string) => (wanted === "x" ? dictionary : templates(wanted));
      const { text } = render("x", load, definition?.context ?? {});
      const { configuration } = readDeviceConfiguration(text);
      if (!definition || !configuration) return [`${name}: does not render`];
      return definition.actions.flatMap((action) => {
        const { reasons = [] } = strategyAsked(action, configuration) ?? {};
        return reasons.map((reason) => `${name}: ${reason}`);
      });
    });
    expect(refused).toEqual([]);
  });
});
