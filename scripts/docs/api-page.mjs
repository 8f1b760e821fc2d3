// The reference of the API: a page made of docs/openapi.json.
import { slugOf } from "./markdown.mjs";

const escape = (text) =>
  String(text).replace(
    /[&<>"]/g,
    (one) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" })[one],
  );
/** What stands between backquotes is code. */
const words = (text) => escape(text).replace(/`([^`]+)`/g, "<code>$1</code>");

export function apiPage(document) {
  const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
  );
  const sections = document.tags.map(({ name }) => {
    const own = operations.filter(({ operation }) => operation.tags[0] === name);
    return `${heading(2, slugOf(name), escape(name))}\n${own.map(operationSection).join("\n")}`;
  });
  const shapes = Object.entries(document.components.schemas).map(shapeSection);
  return `<h1>API reference</h1>
<p>Made from the routes themselves; the same for programs is <a href="/api/v1/openapi.json">openapi.json</a> (OpenAPI ${escape(document.openapi)}).
How to use it, and what the calls are for, is in <a href="/docs/http-api">Using the API</a>; who may what in <a href="/docs/access">its own table</a>.
All paths are under <code>/api/v1</code>.</p>
${sections.join("\n")}
${heading(2, "shapes", "Shapes")}
<p>What bodies and answers are made of; <em>?</em> marks what may be absent.</p>
${shapes.join("\n")}`;
}

/** As the Markdown of the other pages has them. */
const heading = (level, id, html) => {
  const name = html.replace(/<[^>]*>/g, "");
  return `<h${level} id="${id}">${html} <a class="anchor" href="#${id}" aria-label="Link to: ${name}">#</a></h${level}>`;
};

function operationSection({ path, method, operation }) {
  const name = `<span class="verb">${method.toUpperCase()}</span> ${escape(path)}`;
  const scope = operation["x-token-scope"];
  const needs =
    scope === undefined || scope === "read"
      ? ""
      : ` A token with scopes needs <code>${escape(scope)}</code>.`;
  const body = operation.requestBody && contentOf(operation.requestBody.content);
  const [[status, answer]] = Object.entries(operation.responses);
  const answered = answer.content ? contentOf(answer.content) : "nothing";
  return `<section class="operation">
${heading(3, operation.operationId, name)}
<p>${words(operation.summary)}</p>
<p class="muted">${words(operation.description)}${needs}</p>
${parameterList(operation.parameters ?? [])}
<p>${body ? `Takes ${body}; answers` : "Answers"} ${status} with ${answered}.</p>
</section>`;
}

function parameterList(parameters) {
  const shown = parameters.filter((one) => one.in !== "path");
  if (shown.length === 0) return "";
  const items = shown.map(
    ({ name, in: place, required, schema }) =>
      `<code>${escape(name)}</code>${required ? "" : "?"}${place === "header" ? " (header)" : ""}: ${typeOf(schema)}`,
  );
  return `<ul>${items.map((item) => `<li>${item}</li>`).join("")}</ul>`;
}

function contentOf(content) {
  const [[type, { schema }]] = Object.entries(content);
  if (type !== "application/json") return `<code>${escape(type)}</code>`;
  return schema === undefined ? "JSON" : typeOf(schema);
}

function shapeSection([name, schema]) {
  const fields = fieldsOf(schema);
  const shown = fields === "" ? `<p>${typeOf(schema)}</p>` : fields;
  return `<section class="operation">\n${heading(3, `shape-${name}`, escape(name))}\n${shown}\n</section>`;
}

function fieldsOf({ properties = {}, required = [] }) {
  const items = Object.entries(properties).map(
    ([name, one]) =>
      `<li><code>${escape(name)}</code>${required.includes(name) ? "" : "?"}: ${typeOf(one)}</li>`,
  );
  return items.length === 0 ? "" : `<ul>${items.join("")}</ul>`;
}

/** A schema in a few words; objects within objects in braces. */
function typeOf(schema) {
  if (schema === undefined || schema === true) return "anything";
  if (schema.$ref) {
    const name = schema.$ref.split("/").at(-1);
    return `<a href="#shape-${name}">${name}</a>`;
  }
  if (schema.const !== undefined) return `<code>${escape(JSON.stringify(schema.const))}</code>`;
  if (schema.enum) return schema.enum.map((one) => `<code>${escape(one)}</code>`).join(" or ");
  const choices = schema.anyOf ?? schema.oneOf;
  if (choices) return choices.map(typeOf).join(" or ");
  if (schema.allOf) return schema.allOf.map(typeOf).join(" and ");
  if (schema.type === "array") return `list of ${typeOf(schema.items)}`;
  if (schema.properties) return `{${fieldsInLine(schema)}}`;
  if (schema.additionalProperties) return `map of ${typeOf(schema.additionalProperties)}`;
  return escape([schema.type ?? "anything"].flat().join(" or "));
}

const fieldsInLine = ({ properties, required = [] }) =>
  Object.entries(properties)
    .map(
      ([name, one]) =>
        `<code>${escape(name)}</code>${required.includes(name) ? "" : "?"}: ${typeOf(one)}`,
    )
    .join(", ");
