/** Deeper than anything a job or a test has; what a hostile one nests beyond it is cut. */
const DEEPEST = 60;

/**
 * Plain data as LAVA dumps it: block style, keys in order, lists not indented, text without quotes where nothing else can be
 * meant. What is odd is quoted as JSON is, so that every YAML 1.1 reader reads this very value. Ends with a line end.
 */
export function blockYaml(value: unknown): string {
  return `${block(value, "", 0).replace(/^\n/, "")}\n`;
}

/** Begins with a line end where it is a mapping or list that has something, which stands below its key. */
function block(value: unknown, indent: string, depth: number): string {
  if (depth > DEEPEST) return "'...'";
  if (typeof value !== "object" || value === null) return scalar(value);
  if (Array.isArray(value)) {
    if (value.length === 0) return "[]";
    const items = value.map((one) => {
      const text = block(one, `${indent}  `, depth + 1);
      return `\n${indent}- ${text.startsWith("\n") ? text.slice(indent.length + 3) : text}`;
    });
    return items.join("");
  }
  const entries = Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1));
  if (entries.length === 0) return "{}";
  const lines = entries.map(([name, inner]) => {
    const text = block(inner, Array.isArray(inner) ? indent : `${indent}  `, depth + 1);
    const key = scalar(name);
    // A longer key would have to be marked as one.
    const mark = key.length > 120 ? `? ${key}\n${indent}` : key;
    return `\n${indent}${mark}:${text.startsWith("\n") ? text : ` ${text}`}`;
  });
  return lines.join("");
}

/** A text, number, boolean or nothing. */
function scalar(value: unknown): string {
  if (typeof value === "number") return numberText(value);
  if (typeof value === "boolean") return String(value);
  if (typeof value !== "string") return "null";
  if (value.length <= 200 && isPlain(value)) return value;
  if (QUOTABLE.test(value)) return `'${value.replaceAll("'", "''")}'`;
  return JSON.stringify(value).replace(ODD, escaped);
}

/** Floats need a point to be read as such. */
function numberText(value: number): string {
  if (Number.isNaN(value)) return ".nan";
  if (!Number.isFinite(value)) return value > 0 ? ".inf" : "-.inf";
  return String(value).replace(/^(-?\d+)e/, "$1.0e");
}

/** Words that YAML 1.1 takes for something else. */
const WORDS = /^(y|n|yes|no|true|false|on|off|null|e[-+]?\d+)$/i;
const isPlain = (text: string): boolean =>
  (/^[A-Za-z_/][\w/.+@%=(),-]*(( |:)[\w/.+@%=(),-]+)*$/.test(text) && !WORDS.test(text)) ||
  // Names of suites, and levels of actions.
  /^\d{1,6}_[A-DF-WYZa-df-wyz][\w-]*$/.test(text) ||
  /^(\d{1,9}_)?\d{1,4}(\.\d{1,4}){2,20}$/.test(text);
const QUOTABLE = /^[\x20-\x7e]{0,1000}$/;

const ODD = /[\x7f-\xa0\u2028\u2029\ufeff\ufffe\uffff]/g;
const escaped = (character: string): string =>
  `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
