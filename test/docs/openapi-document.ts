import { toJsonSchema, type JsonSchema } from "@valibot/to-json-schema";
import type * as v from "valibot";
import { VERSION } from "#protocol/version.ts";
import { scopeOf } from "../../control-plane/http/scope-of.ts";
import { API } from "./api-table.ts";
import type { Look, RecordedRoute } from "./recorded-routes.ts";

/** The schemas of control-plane/protocol by their name there, without `Schema`. */
export type Named = Readonly<Record<string, v.GenericSchema>>;

interface Answer {
  readonly status: number;
  /** Of the answer, or `json` for one of no schema; absent for an empty answer. */
  readonly type?: string;
  readonly schema?: v.GenericSchema | undefined;
}

/** What a line of the table says of an answer: `201 submitResponse`, `jobView`, `text/plain`, `204`. */
export function answerOf(text: string, named: Named): Answer {
  const [, status = "200", what = ""] = /^(\d{3})? ?(.*)$/.exec(text) ?? [];
  if (what === "") return { status: Number(status) };
  if (what.includes("/")) return { status: Number(status), type: what };
  if (what === "json") return { status: Number(status), type: "application/json" };
  if (!named[what]) throw new Error(`control-plane/protocol has no ${what}Schema`);
  return { status: Number(status), type: "application/json", schema: named[what] };
}

/** The document: what the router has, what the routes check, and the words of the table. */
export function openapiDocument(routes: readonly RecordedRoute[], named: Named): object {
  const schemas: Record<string, JsonSchema> = {};
  const convert = makeConverter(named, schemas);
  const paths: Record<string, Record<string, object>> = {};
  for (const [tag, lines] of Object.entries(API)) {
    for (const [name, [summary, answer]] of Object.entries(lines)) {
      const route = routes.find((one) => one.name === name);
      if (!route) continue;
      const [method = "", pattern = ""] = name.split(" ");
      const path = pattern.replace(/:(\w+)(?:\{[^}]*\})?/g, "{$1}");
      const operation = {
        tags: [tag],
        ...operationOf(route, summary, answerOf(answer, named), convert),
      };
      paths[path] = { ...paths[path], [method.toLowerCase()]: operation };
    }
  }
  convert(named["problem"]!);
  return {
    openapi: "3.1.0",
    info: {
      title: "Pumice",
      version: VERSION,
      description:
        "The HTTP API of a Pumice lab. Times are ISO 8601 in UTC, lists come in pages: ask again with `cursor` as long as an answer has `next_cursor`.",
      license: { name: "Apache-2.0", identifier: "Apache-2.0" },
    },
    servers: [{ url: "/api/v1" }],
    tags: Object.keys(API).map((name) => ({ name })),
    security: [{ token: [] }],
    paths,
    components: {
      securitySchemes: { token: { type: "http", scheme: "bearer" } },
      schemas: Object.fromEntries(Object.entries(schemas).sort(([a], [b]) => (a < b ? -1 : 1))),
      responses: {
        problem: {
          description: "What was refused, and why.",
          content: json({ $ref: "#/components/schemas/Problem" }),
        },
      },
    },
  };
}

/** `whole`: the schema itself, even if it has a name. */
type Convert = (schema: v.GenericSchema, how?: "whole") => JsonSchema;

function operationOf(
  { name, looks, who }: RecordedRoute,
  summary: string,
  answer: Answer,
  convert: Convert,
) {
  const [method = "", pattern = ""] = name.split(" ");
  const isPublic = who.has("everybody, known or not");
  const scope = scopeOf(method, `/api/v1${pattern}`);
  const parameters = [...inPath(pattern), ...inQuery(looks, convert)];
  const body = bodyOf(looks, convert);
  return {
    operationId: idOf(method, pattern),
    summary,
    description: `Who may: ${[...who].join("; ")}.`,
    ...(isPublic ? { security: [] } : { "x-token-scope": scope }),
    ...(parameters.length > 0 ? { parameters } : {}),
    ...(body ? { requestBody: { required: true, content: body } } : {}),
    responses: {
      [answer.status]: {
        description: answer.type === undefined ? "Done; no content." : "Done.",
        ...(answer.type === undefined ? {} : { content: contentOf(answer, convert) }),
      },
      default: { $ref: "#/components/responses/problem" },
    },
  };
}

/** `GET /jobs/:id/log` is `getJobsIdLog`. */
const idOf = (method: string, pattern: string): string =>
  method.toLowerCase() +
  pattern
    .replace(/\{[^}]*\}/g, "")
    .split(/[/:-]+/)
    .map((word) => word.charAt(0).toUpperCase() + word.slice(1))
    .join("");

const inPath = (pattern: string) =>
  [...pattern.matchAll(/:(\w+)(?:\{([^}]*)\})?/g)].map(([, name, shape]) => ({
    name,
    in: "path",
    required: true,
    schema: { type: "string", ...(shape === undefined ? {} : { pattern: `^${shape}$` }) },
  }));

function inQuery(looks: readonly Look[], convert: Convert) {
  const found = new Map<string, object>();
  for (const { what, schema } of looks) {
    if ((what !== "query" && what !== "headers") || !schema) continue;
    const { properties = {}, required = [] } = convert(schema, "whole");
    for (const [name, property] of Object.entries(properties)) {
      const place = what === "query" ? "query" : "header";
      found.set(name, {
        name,
        in: place,
        ...(required.includes(name) ? { required: true } : {}),
        schema: property === true ? {} : numbers(property as JsonSchema),
      });
    }
  }
  return [...found.values()];
}

/** Numbers come as digits in a query. */
const numbers = (schema: JsonSchema): JsonSchema =>
  schema.type === "string" && /^\^\\d\{1,\d+\}\$$/.test(schema.pattern ?? "")
    ? { type: "integer", minimum: 0 }
    : schema;

function bodyOf(looks: readonly Look[], convert: Convert): object | undefined {
  const of = (what: Look["what"]) => looks.find((look) => look.what === what);
  const { schema } = of("json") ?? {};
  if (schema) return json(convert(schema));
  if (of("text")) return { "text/plain": { schema: { type: "string" } } };
  return of("bytes") && { "application/octet-stream": {} };
}

const json = (schema: object) => ({ "application/json": { schema } });

const contentOf = ({ type = "", schema }: Answer, convert: Convert): object =>
  schema === undefined ? { [type]: {} } : json(convert(schema));

const titleOf = (name: string): string => name.charAt(0).toUpperCase() + name.slice(1);

/** Converts a schema; those of the protocol are kept in `schemas` and referred to by name. */
function makeConverter(named: Named, schemas: Record<string, JsonSchema>): Convert {
  const definitions = Object.fromEntries(
    Object.entries(named).map(([name, schema]) => [titleOf(name), schema]),
  );
  const refer = (name: string) => `#/components/schemas/${name}`;
  return (schema, how) => {
    const {
      $schema: _,
      $defs,
      ...converted
    } = toJsonSchema(schema as never, {
      errorMode: "ignore",
      typeMode: "input",
      definitions: definitions as never,
      overrideRef: ({ referenceId }) => refer(referenceId),
    });
    const all = ($defs ?? {}) as Record<string, JsonSchema>;
    const own =
      converted.$ref === undefined ? undefined : all[converted.$ref.split("/").at(-1) ?? ""];
    const wanted = how === "whole" ? (own ?? converted) : converted;
    keepUsed(wanted, all, schemas);
    return wanted;
  };
}

function keepUsed(
  from: unknown,
  all: Record<string, JsonSchema>,
  kept: Record<string, JsonSchema>,
): void {
  for (const [, name = ""] of JSON.stringify(from).matchAll(/"#\/components\/schemas\/(\w+)"/g)) {
    const found = all[name];
    if (!found || kept[name]) continue;
    kept[name] = found;
    keepUsed(found, all, kept);
  }
}
