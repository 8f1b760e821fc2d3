import * as v from "valibot";
import { readText } from "../../http/read-body.ts";
import { RestRefusal } from "./drf.ts";

/** A definition of 1 MB grows when it is escaped. */
const MAX_BODY_BYTES = 4 * 1024 * 1024;

/**
 * The fields of a body, be it JSON, a form or multipart, as the schema wants them. Throws a refusal that names every field that is
 * wrong, as LAVA does.
 */
export async function readFields<S extends v.GenericSchema>(
  request: Request,
  schema: S,
  limitBytes = MAX_BODY_BYTES,
): Promise<v.InferOutput<S>> {
  return checkFields(schema, await readBody(request, limitBytes));
}

export function checkFields<S extends v.GenericSchema>(
  schema: S,
  value: unknown,
): v.InferOutput<S> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    const message = `Invalid data. Expected a dictionary, but got ${pythonType(value)}.`;
    throw new RestRefusal(400, { non_field_errors: [message] });
  }
  const parsed = v.safeParse(schema, value);
  if (parsed.success) return parsed.output;
  const body: Record<string, string[]> = {};
  for (const issue of parsed.issues) {
    const field = String(issue.path?.[0]?.key ?? "non_field_errors");
    const isMissing = issue.path?.length === 1 && issue.received === "undefined";
    const isNull = issue.path?.length === 1 && issue.received === "null";
    const message = isNull ? "This field may not be null." : issue.message;
    (body[field] ??= []).push(isMissing ? "This field is required." : message);
  }
  throw new RestRefusal(400, body);
}

/** What Django calls it. */
function pythonType(value: unknown): string {
  if (Array.isArray(value)) return "list";
  if (typeof value === "number") return Number.isInteger(value) ? "int" : "float";
  return typeof value === "boolean" ? "bool" : "str";
}

/** The fields of a body as they came, text or not. */
export async function readBody(request: Request, limitBytes = MAX_BODY_BYTES): Promise<unknown> {
  const given = request.headers.get("content-type") ?? "";
  const type = given.split(";", 1)[0]?.trim().toLowerCase() ?? "";
  const text = await readText(request, limitBytes);
  if (text === "") return {};
  if (type === "application/json" || type.endsWith("+json")) return fromJson(text);
  if (type === "application/x-www-form-urlencoded") return grouped(new URLSearchParams(text));
  if (type === "multipart/form-data") return fromParts(text, given);
  const detail = `Unsupported media type "${given}" in request.`;
  throw new RestRefusal(415, { detail });
}

function fromJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new RestRefusal(400, { detail: `JSON parse error - ${String(error)}` });
  }
}

async function fromParts(text: string, type: string): Promise<unknown> {
  try {
    const form = await new Response(text, { headers: { "content-type": type } }).formData();
    const entries: [string, string][] = [];
    for (const [name, value] of form.entries()) {
      entries.push([name, typeof value === "string" ? value : await value.text()]);
    }
    return grouped(entries);
  } catch {
    throw new RestRefusal(400, { detail: "Multipart form parse error: expected parts of a form" });
  }
}

/** A field that comes several times is a list. */
function grouped(entries: Iterable<[string, string]>): Record<string, unknown> {
  const fields = new Map<string, string[]>();
  for (const [name, value] of entries) {
    const values = fields.get(name);
    if (values) values.push(value);
    else fields.set(name, [value]);
  }
  return Object.fromEntries(
    [...fields].map(([name, values]) => [name, values.length === 1 ? values[0] : values]),
  );
}

/** Text that has to be something; a number is its text, as in LAVA. */
export const someText = v.pipe(
  v.union([v.string(), v.pipe(v.number(), v.transform(String))], "Not a valid string."),
  v.minLength(1, "This field may not be blank."),
);
/** Text or nothing; `null` is nothing. */
export const anyText = v.pipe(
  v.nullable(v.string("Not a valid string.")),
  v.transform((text) => text ?? ""),
);
const NO_NUMBER = "A valid integer is required.";
/** A whole number, also as text. */
export const wholeNumber = v.pipe(
  v.union([v.number(), v.pipe(v.string(), v.regex(/^\d{1,9}$/), v.transform(Number))], NO_NUMBER),
  v.integer(NO_NUMBER),
  v.minValue(0, "Ensure this value is greater than or equal to 0."),
);
/** As a form says it, too. */
export const flag = v.union(
  [
    v.boolean(),
    v.pipe(
      v.string(),
      v.toLowerCase(),
      v.picklist(["true", "false", "on", "off", "1", "0", "yes", "no"]),
      v.transform((text) => ["true", "on", "1", "yes"].includes(text)),
    ),
  ],
  "Must be a valid boolean.",
);
/** One of some words. */
export const choice = <const T extends readonly string[]>(words: T) =>
  v.pipe(
    v.unknown(),
    v.rawTransform(({ dataset, addIssue, NEVER }): T[number] => {
      const found = words.find((word) => word === dataset.value);
      if (found !== undefined) return found;
      addIssue({ message: `"${String(dataset.value).slice(0, 100)}" is not a valid choice.` });
      return NEVER;
    }),
  );
/** One or several, as a list, or a form's field that comes once or more. */
export const textList = v.pipe(
  v.union([
    v.array(v.union([v.string(), v.number()]), "Expected a list of items."),
    v.pipe(
      v.string(),
      v.transform((one) => (one === "" ? [] : [one])),
    ),
  ]),
  v.maxLength(100, "Expected at most 100 items."),
  v.transform((items) => items.map(String)),
);
