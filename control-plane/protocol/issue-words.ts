import type * as v from "valibot";

/** What is wrong with a value, for people: the schema's own words, or plain ones in the place of valibot's. */
export function issueWords(issue: v.BaseIssue<unknown>): string {
  const [, label = "", expected, received = ""] = VALIBOTS.exec(issue.message) ?? [];
  if (label === "") return issue.message;
  if (issue.type === "strict_object" && expected === "never") return "this key is not known";
  if (received === "undefined") return "it is missing";
  const wanted = wantedIn(label, expected ?? "");
  const found = received.length > MOST_FOUND ? `${received.slice(0, MOST_FOUND)}…` : received;
  return `expected ${wanted}, found ${FOUND[found] ?? found}`;
}

/** As valibot says what nobody wrote a message for. */
const VALIBOTS = /^Invalid ([\w ]+): (?:Expected ([^]*) but r|R)eceived ([^]*)$/;
const MOST_FOUND = 60;

function wantedIn(label: string, expected: string): string {
  const [, sign = "", bound = ""] = /^(>=|<=|>|<)([^]*)$/.exec(expected) ?? [];
  if (sign !== "") {
    const unit = label === "length" ? " characters or entries" : "";
    return `${LIMITS[sign]} ${bound}${unit}`;
  }
  if (label === "integer" || label === "safe integer") return "a whole number";
  if (label === "format") return `the form ${expected}`;
  return KINDS[expected] ?? (expected === "" ? `a valid ${label}` : expected);
}

const LIMITS: Readonly<Record<string, string>> = {
  ">=": "at least",
  "<=": "at most",
  ">": "more than",
  "<": "less than",
};
const KINDS: Readonly<Record<string, string>> = {
  string: "a text",
  number: "a number",
  boolean: "true or false",
  Array: "a list",
  Object: "an object",
};
const FOUND: Readonly<Record<string, string>> = {
  Array: "a list",
  Object: "an object",
  null: "nothing",
};
