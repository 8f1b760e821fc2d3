/** Texts of which one stands in each match. */
export type OneOf = readonly string[];

/** More of them aren't worth looking for one by one. */
const MAX_ALTERNATIVES = 8;
/** Of groups in groups; a job's pattern may have any number of them. */
const MAX_DEPTH = 100;

/**
 * What stands in each text that a regular expression matches: of each element one text, one after the other. Looking
 * for a text costs far less than trying a pattern everywhere. Empty when nothing can be said; never wrong, so of what
 * isn't understood nothing is said.
 */
export function requiredTexts({ source, flags }: RegExp): readonly OneOf[] {
  // Other characters than those of the pattern would match, or its syntax is another.
  if (/[iuv]/.test(flags)) return [];
  const reader = { source, at: 0, depth: 0 };
  try {
    const required = alternatives(reader);
    return reader.at === source.length ? required : [];
  } catch (error) {
    if (error instanceof NotUnderstood) return [];
    throw error;
  }
}

interface Reader {
  readonly source: string;
  at: number;
  depth: number;
}

class NotUnderstood extends Error {}

/** An element of a pattern: characters of which one is meant, what a group requires, or anything. */
type Element = { readonly characters: OneOf } | { readonly group: readonly OneOf[] } | "anything";

/** As far as the `)` that ends them. */
function alternatives(reader: Reader): readonly OneOf[] {
  const all = [sequence(reader)];
  while (reader.source[reader.at] === "|") {
    reader.at++;
    all.push(sequence(reader));
  }
  if (all.length === 1) return all[0] ?? [];
  const best = all.map(longest);
  const union = best.flatMap((texts) => texts ?? []);
  return best.includes(undefined) || union.length > MAX_ALTERNATIVES ? [] : [union];
}

/** The element whose shortest text is the longest. */
export function longest(required: readonly OneOf[]): OneOf | undefined {
  return required.reduce<OneOf | undefined>(
    (best, texts) => (best && shortest(best) >= shortest(texts) ? best : texts),
    undefined,
  );
}

const shortest = (texts: OneOf): number => Math.min(...texts.map(({ length }) => length));

function sequence(reader: Reader): OneOf[] {
  const required: OneOf[] = [];
  let run: OneOf = [""];
  const endRun = (): void => {
    if (run[0] !== "") required.push(run);
    run = [""];
  };
  while (reader.at < reader.source.length && !"|)".includes(reader.source[reader.at] ?? "")) {
    const element = readElement(reader);
    const times = readQuantifier(reader);
    if (element === "anything" || times === "perhaps") endRun();
    else if ("group" in element) {
      endRun();
      required.push(...element.group);
    } else {
      const { characters } = element;
      if (run.length * characters.length > MAX_ALTERNATIVES) endRun();
      run = run.flatMap((text) => characters.map((character) => text + character));
      // What follows may be the same once more.
      if (times === "repeated") endRun();
    }
  }
  endRun();
  return required;
}

function readQuantifier(reader: Reader): "once" | "perhaps" | "repeated" {
  const match = take(reader, /(?:[*+?]|\{(?<least>\d+)(?:,\d*)?\})\??/y);
  if (!match) return "once";
  const least = match.groups?.["least"] ?? (match[0].startsWith("+") ? "1" : "0");
  return Number(least) > 0 ? "repeated" : "perhaps";
}

function readElement(reader: Reader): Element {
  const character = reader.source[reader.at++] ?? "";
  switch (character) {
    case ".":
    case "^":
    case "$":
      return "anything";
    case "(":
      return readGroup(reader);
    case "[":
      return readSet(reader);
    case "\\":
      return readEscape(reader);
    default:
      return { characters: [character] };
  }
}

function readGroup(reader: Reader): Element {
  const kind = take(reader, /\?(?:<?[=!]|:|<[A-Za-z_$][\w$]*>)/y)?.[0];
  if (kind === undefined && reader.source[reader.at] === "?") throw new NotUnderstood();
  if (++reader.depth > MAX_DEPTH) throw new NotUnderstood();
  const group = alternatives(reader);
  reader.depth--;
  if (reader.source[reader.at++] !== ")") throw new NotUnderstood();
  // An assertion says what is around the match, or what is not.
  return kind !== undefined && /[=!]$/.test(kind) ? "anything" : { group };
}

function readSet(reader: Reader): Element {
  const set = take(reader, /(\^?)((?:\\[^]|[^\]\\])*)\]/y);
  if (!set) throw new NotUnderstood();
  const [, not, characters = ""] = set;
  const isList = not === "" && /^[^\\-]{1,4}$/.test(characters);
  return isList ? { characters: [...new Set(characters)] } : "anything";
}

const NAMED: Readonly<Record<string, string>> = { n: "\n", r: "\r", t: "\t", f: "\f", v: "\v" };

function readEscape(reader: Reader): Element {
  const code = take(reader, /x([\da-fA-F]{2})|u([\da-fA-F]{4})/y);
  if (code) {
    return { characters: [String.fromCharCode(parseInt(code[1] ?? code[2] ?? "", 16))] };
  }
  // A class, a word's border, or what a group has matched.
  if (take(reader, /[dDwWsSbB]|[1-9]\d*|k<[^>]*>/y)) return "anything";
  const character = reader.source[reader.at++] ?? "";
  const named = NAMED[character];
  if (named !== undefined) return { characters: [named] };
  if (/^[A-Za-z0-9]?$/.test(character)) throw new NotUnderstood();
  return { characters: [character] };
}

function take(reader: Reader, pattern: RegExp): RegExpExecArray | null {
  pattern.lastIndex = reader.at;
  const match = pattern.exec(reader.source);
  if (match) reader.at = pattern.lastIndex;
  return match;
}
