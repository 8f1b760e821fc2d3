/**
 * The value of one line of a flow mapping as LAVA's log has it (API.md 1.6): JSON, but for YAML's escapes in its texts and for
 * values that are no texts, which come as `! "624"`. Throws a `SyntaxError` for any other text.
 */
export function readFlowValue(text: string): unknown {
  const place: Place = { text, at: 0 };
  const value = readValue(place, 0);
  skipSpace(place);
  if (place.at < text.length) throw unexpected(place);
  return value;
}

interface Place {
  readonly text: string;
  at: number;
}

/** A job is hostile; the recursion is bounded. */
const MAX_DEPTH = 100;

function readValue(place: Place, depth: number): unknown {
  if (depth > MAX_DEPTH) throw new SyntaxError("nested too deep");
  skipSpace(place);
  const first = place.text[place.at];
  if (first === "{") return readMapping(place, depth);
  if (first === "[") return readList(place, depth);
  if (first === '"') return readText(place);
  if (first !== "!") return readPlain(place);
  place.at += 1;
  skipSpace(place);
  return plainValue(readText(place));
}

function readMapping(place: Place, depth: number): Record<string, unknown> {
  const entries: [string, unknown][] = [];
  for (const _ of items(place, "}")) {
    skipSpace(place);
    const key = place.text[place.at] === "!" ? readValue(place, depth + 1) : readText(place);
    take(place, ":");
    entries.push([String(key), readValue(place, depth + 1)]);
  }
  return Object.fromEntries(entries);
}

function readList(place: Place, depth: number): unknown[] {
  const list: unknown[] = [];
  for (const _ of items(place, "]")) list.push(readValue(place, depth + 1));
  return list;
}

/** Comes to each item between the bracket at the place and the one that ends it. */
function* items(place: Place, end: string): Generator<void> {
  place.at += 1;
  skipSpace(place);
  while (place.text[place.at] !== end) {
    yield;
    skipSpace(place);
    if (place.text[place.at] === end) break;
    take(place, ",");
    skipSpace(place);
  }
  place.at += 1;
}

const STRING = /"([^"\\]*(?:\\.[^"\\]*)*)"/sy;
const PLAIN = /[\w.+-]+/y;

function readText(place: Place): string {
  STRING.lastIndex = place.at;
  const found = STRING.exec(place.text);
  if (!found) throw unexpected(place);
  place.at = STRING.lastIndex;
  const inside = found[1] ?? "";
  return inside.includes("\\") ? inside.replace(ESCAPE, unescaped) : inside;
}

function readPlain(place: Place): unknown {
  PLAIN.lastIndex = place.at;
  const found = PLAIN.exec(place.text);
  if (!found) throw unexpected(place);
  place.at = PLAIN.lastIndex;
  return plainValue(found[0]);
}

/** What YAML takes a word for. */
function plainValue(word: string): unknown {
  if (word === "null" || word === "~" || word === "") return null;
  if (word === "true" || word === "false") return word === "true";
  const isNumber = /^[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d+)?$/.test(word);
  const number = isNumber ? Number(word) : Number.NaN;
  // What a number would not keep stays as it is written.
  const isKept = Number.isInteger(number) ? Number.isSafeInteger(number) : Number.isFinite(number);
  return isKept ? number : word;
}

const ESCAPE = /\\(?:x([\da-fA-F]{2})|u([\da-fA-F]{4})|U([\da-fA-F]{8})|(.))/gs;
const ESCAPES: Readonly<Record<string, string>> = {
  ...{ "0": "\0", a: "\x07", b: "\b", t: "\t", n: "\n", v: "\v", f: "\f", r: "\r", e: "\x1b" },
  ...{ N: "\x85", _: "\xa0", L: "\u2028", P: "\u2029" },
};

function unescaped(
  whole: string,
  two: string | undefined,
  four: string | undefined,
  eight: string | undefined,
  letter: string | undefined,
): string {
  if (letter !== undefined) return ESCAPES[letter] ?? letter;
  const code = Number.parseInt(two ?? four ?? eight ?? "", 16);
  return code <= 0x10ffff ? String.fromCodePoint(code) : whole;
}

function take(place: Place, character: string): void {
  skipSpace(place);
  if (place.text[place.at] !== character) throw unexpected(place);
  place.at += 1;
}

function skipSpace(place: Place): void {
  while (place.text[place.at] === " ") place.at += 1;
}

const unexpected = ({ text, at }: Place): SyntaxError =>
  new SyntaxError(`unexpected ${JSON.stringify(text.slice(at, at + 20))} at ${at}`);
