import { listOf, mapOf, may, oneOf, text } from "#protocol/schema-parts.ts";
import { anyOf, has } from "./choices.ts";
import { notBoth } from "./not-both.ts";
import type { Mapping } from "./strength.ts";
import { texts } from "./values.ts";

/** JOB.md 9. */
export function notifySchema(mapping: Mapping) {
  const callback = mapping({
    url: text,
    ...may({
      method: oneOf("GET", "POST"),
      token: text,
      header: text,
      dataset: oneOf("minimal", "logs", "results", "all"),
      "content-type": oneOf("json", "urlencoded"),
    }),
  });
  const recipient = mapping({
    method: oneOf("email", "irc"),
    ...may({ user: text, email: text, handle: text, server: text }),
  });
  return notBoth(
    ["callback", "callbacks"],
    mapping({
      criteria: criteria(mapping),
      ...may({
        verbosity: oneOf("verbose", "quiet", "status-only"),
        recipients: listOf(mapping({ to: recipient })),
        callback,
        callbacks: listOf(callback),
        compare: mapping(may({ blacklist: texts, query: query(mapping) })),
      }),
    }),
  );
}

/** When to tell: always, on a state with a condition, or when results have changed. */
const criteria = (mapping: Mapping) =>
  anyOf(
    [
      mapping({ status: oneOf("all") }),
      mapping({
        status: oneOf("finished", "running", "complete", "canceled", "incomplete"),
        ...may({ dependency_query: text }),
      }),
      mapping({
        status: oneOf("complete", "incomplete"),
        ...may({ type: oneOf("regression", "progression") }),
      }),
    ],
    (input) => (has(input, "type") ? 2 : 1),
  );

const query = (mapping: Mapping) =>
  anyOf(
    [
      mapping({ username: text, name: text }),
      mapping({ entity: text, ...may({ conditions: mapOf(text) }) }),
    ],
    (input) => (has(input, "entity") ? 1 : 0),
  );
