/**
 * A case as an item of a YAML list, where all it has is plain enough to be written without looking twice: a hundred times as fast
 * as the library, which writes every other case and would write this one alike (a test compares them). Undefined otherwise.
 */
export function plainCaseYaml(one: Readonly<Record<string, unknown>>): string | undefined {
  const lines: string[] = [];
  for (const [name, value] of Object.entries(one)) {
    const text = name === "metadata" ? plainMapping(value) : blockScalar(value);
    if (text === undefined) return undefined;
    lines.push(`${lines.length === 0 ? "- " : "  "}${name}: ${text}\n`);
  }
  return lines.join("");
}

function plainMapping(value: unknown): string | undefined {
  const entries = Object.entries(value ?? {});
  if (entries.length === 0) return undefined;
  const texts = entries.map(([name, inner]) => {
    const text = typeof inner === "number" ? plainNumber(inner) : flowScalar(inner);
    return text === undefined || !isPlain(name) ? undefined : `${name}: ${text}`;
  });
  return texts.includes(undefined) ? undefined : `{${texts.join(", ")}}`;
}

function plainNumber(number: number): string | undefined {
  const text = String(number);
  return /^([1-9]\d{0,14}|0)(\.\d{1,10})?$/.test(text) ? text : undefined;
}

function flowScalar(value: unknown): string | undefined {
  if (typeof value !== "string") return undefined;
  if (isPlain(value)) return value;
  return isNumber(value) ? `'${value}'` : undefined;
}

function blockScalar(value: unknown): string | undefined {
  if (value === "") return "''";
  if (typeof value === "string" && isTime(value)) return `'${value}'`;
  return flowScalar(value);
}

/** YAML 1.1 would take these words for something else, and what looks like a number for one. */
const WORDS = /^(y|n|yes|no|true|false|on|off|null|e[-+]?\d+)$/i;
const isPlain = (text: string): boolean =>
  text.length <= 200 &&
  !WORDS.test(text) &&
  (/^[A-Za-z][\w/.+-]*( [\w/.+-]+)*$/.test(text) ||
    /^\/[A-Za-z][\w/.+%-]*$/.test(text) ||
    /^\d{1,4}_[A-DF-Za-df-z][\w.-]*$/.test(text));
const isNumber = (text: string): boolean => /^([1-9]\d{0,17}|0)(\.\d{1,10})?$/.test(text);
const isTime = (text: string): boolean =>
  /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d{6})?\+00:00$/.test(text);
