/** Deeper than anything a test reports; what a hostile one nests beyond it is cut. */
const DEEPEST = 40;

/** A value as Python prints it: `{'case': 'ok', 'measurement': 93.25, 'extra': None}`. For what scripts read of LAVA's CSV. */
export function pythonText(value: unknown, depth = 0): string {
  if (depth > DEEPEST) return "'...'";
  if (value === null || value === undefined) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (typeof value === "string") return quoted(value);
  if (Array.isArray(value)) return `[${value.map((one) => pythonText(one, depth + 1)).join(", ")}]`;
  if (typeof value !== "object") return String(value);
  const entries = Object.entries(value).map(
    ([name, inner]) => `${quoted(name)}: ${pythonText(inner, depth + 1)}`,
  );
  return `{${entries.join(", ")}}`;
}

/** Python takes double quotes for a text that has single ones only. */
function quoted(text: string): string {
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'";
  const body = text.replace(ODD, (character) => {
    const code = character.charCodeAt(0);
    if (code < 0x100) return SHORT[character] ?? `\\x${code.toString(16).padStart(2, "0")}`;
    return `\\u${code.toString(16).padStart(4, "0")}`;
  });
  return quote + body.replaceAll(quote, `\\${quote}`) + quote;
}

// oxlint-disable-next-line no-control-regex
const ODD = /[\u0000-\u001f\u007f-\u00a0\u00ad\u2028\u2029\\]|\p{Surrogate}/gu;
const SHORT: Readonly<Record<string, string>> = {
  "\n": "\\n",
  "\r": "\\r",
  "\t": "\\t",
  "\\": "\\\\",
};
