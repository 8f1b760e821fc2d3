import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import * as v from "valibot";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import type * as readBody from "../../control-plane/http/read-body.ts";
import { accessLab, type AccessLab } from "../support/access-lab.ts";
import { isOnAws } from "../support/test-engine.ts";
import { API } from "./api-table.ts";
import { answerOf, openapiDocument } from "./openapi-document.ts";
import { recordRoutes, routesOf, type Look, type RecordedRoute } from "./recorded-routes.ts";
import { lacking } from "../support/lacking.ts";

/** What the routes look at, as they do it: they name their schemas nowhere else. */
const looks = vi.hoisted<Look[]>(() => []);
vi.mock("../../control-plane/http/read-body.ts", async (original) => {
  const real = await original<typeof readBody>();
  const note = (what: string, schema?: v.GenericSchema) => {
    if (/^(query|headers|json|text|bytes)$/.test(what)) {
      looks.push({ what: what as Look["what"], ...(schema ? { schema } : {}) });
    }
  };
  return {
    ...real,
    parse: (schema: v.GenericSchema, value: unknown, what: string): unknown => {
      note(what, schema);
      return real.parse(schema, value, what);
    },
    readJson: (request: Request, schema: v.GenericSchema, limit?: number) => {
      note("json", schema);
      return real.readJson(request, schema, limit);
    },
    readText: (request: Request, limit: number) => {
      note("text");
      return real.readText(request, limit);
    },
    readBytes: (request: Request, limit: number) => {
      note("bytes");
      return real.readBytes(request, limit);
    },
  };
});

const protocol = path.resolve(import.meta.dirname, "../../control-plane/protocol");
const isSchema = (value: unknown): value is v.GenericSchema =>
  typeof value === "object" && value !== null && "kind" in value && value.kind === "schema";
const named: Record<string, v.GenericSchema> = {};
for (const file of readdirSync(protocol).filter((name) => name.endsWith(".ts"))) {
  const module = (await import(path.join(protocol, file))) as Record<string, unknown>;
  for (const [name, value] of Object.entries(module)) {
    if (name.endsWith("Schema") && isSchema(value)) named[name.replace(/Schema$/, "")] = value;
  }
}
const lines = Object.values(API).flatMap((table) => Object.entries(table));

let lab: AccessLab;
let routes: Map<string, RecordedRoute>;

beforeAll(async () => {
  lab = await accessLab();
  routes = await recordRoutes(lab, looks);
});
afterAll(() => lab.close());

test("each route of the API is described, and nothing else", () => {
  const described = lines.map(([name]) => name);
  expect(described.toSorted()).toEqual(routesOf(lab.lab).toSorted());
});

describe("what is described is what is answered", () => {
  test.each(lines)("%s", (name, [, described]) => {
    const { answers } = routes.get(name) ?? { answers: [] };
    const { status, type, schema } = answerOf(described, named);
    // Of some the lab of the access matrix has nothing: their answers there are refusals.
    for (const answer of answers.filter((one) => one.status < 300)) {
      expect(answer.status).toBe(status);
      if (type?.startsWith("application/"))
        expect(["application/xml", "application/yaml", type]).toContain(answer.type);
      if (schema && answer.type === "application/json") {
        const parsed = v.safeParse(schema, answer.body);
        expect(parsed.issues).toBeUndefined();
        expect(parsed.output).toEqual(answer.body);
      }
    }
  });
});

test("whatever the description refers to is in it", () => {
  const document = openapiDocument([...routes.values()], named) as {
    components: { schemas: object };
  };
  const there = Object.keys(document.components.schemas);
  const references = [...JSON.stringify(document).matchAll(/"#\/components\/schemas\/(\w+)"/g)];
  expect(new Set(references.map(([, name]) => name))).toEqual(new Set(there));
});

test.skipIf(lacking(isOnAws, "only the embedded engine has this"))(
  "docs/openapi.json is the description",
  () => {
    const file = path.resolve(import.meta.dirname, "../../docs/openapi.json");
    const text = `${JSON.stringify(openapiDocument([...routes.values()], named), undefined, 1)}\n`;
    if (process.env["PUMICE_WRITE_DOCS"]) writeFileSync(file, text);
    expect(readFileSync(file, "utf8")).toBe(text);
  },
);
