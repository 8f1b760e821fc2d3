import { FAILSAFE_SCHEMA, load, Type, type ListenedState } from "js-yaml";
import { plainWord } from "./python-tags.ts";

/** What js-yaml may see at all: printable ASCII, no tabs. */
const ONLY_ASCII = /^[\n\x20-\x7e]*$/;

/** What js-yaml reads otherwise than we do, or may; more of it than needs be, as the other way reads everything. */
const NOT_PLAIN = new RegExp(
  [
    // Marks of documents, and directives.
    /^(?:---|\.\.\.|%)/,
    // A key with its `?`.
    /(?:^|[\s,[{])\?/,
    // A list that may be a key without a colon.
    /(?:^|[,{]) *\[/,
    // A key with spaces behind it: up to the colon they count for its length.
    / {2}:/,
    // A comment without a space before it; the others are found below.
    /[,[{:]#/,
    // Characters by their number.
    /\\[uUx]/,
    // A block of text that begins with an empty line or keeps those at its end; a comment at its mark.
    /[|>][-+0-9]*(?:\+| +#| *\n *$)/,
    // A block of text on a line of its own: js-yaml forgets the anchor or tag before it.
    /^ *[|>]/,
    // An empty line after a line break that doesn't count.
    /\\\n *$/,
    // An item of nothing that a dash may follow: js-yaml takes that for one of the same list, wherever it stands.
    /[^ \n] +- *(?:$| #)|^ *- *(?:\n *(?:[-#]|$)| #)/,
  ]
    .map(({ source }) => source)
    .join("|"),
  "m",
);

/** Of js-yaml's; each may be two of ours. */
const MAX_LEVELS = 50;
/** Before a colon 1024 characters may stand, and each of a key's may be written as two. */
const MAX_KEY_CHARS = 400;

/** What a plain word means that is not only its text. */
class Meaning {
  readonly value: unknown;
  constructor(value: unknown) {
    this.value = value;
  }
}
/** js-yaml's text for such a word where it is a key. */
const MEANING_AS_KEY = "[object Object]";
/** And for a key that isn't there. */
const NO_KEY = "null";

class NotPlain extends Error {
  override readonly name = "NotPlain";
}

const word = new Type("word", {
  kind: "scalar",
  resolve: (text) => {
    if (text === "=" || text === "<<") throw new NotPlain();
    return plainWord(text) !== undefined;
  },
  construct: (text) => new Meaning(plainWord(text)?.value),
});
const schema = FAILSAFE_SCHEMA.extend({ implicit: [word] });

/** "?" is a plain word that is only its text. */
const TAGS = new Set([null, "?", "word"]);

/** Of a node that has just been read; on "open" the state is still the one before's. */
function listener(event: "open" | "close", state: ListenedState): void {
  if (event === "open") return;
  const { anchor, tag, kind, input } = state;
  let next = state.position;
  const isComment = input[next] === "#" && !/[ \n]/.test(input.charAt(next - 1));
  while (input[next] === " ") next++;
  const isKey = kind !== "scalar" && input[next] === ":";
  if (anchor !== null || !TAGS.has(tag) || isComment || isKey) throw new NotPlain();
}

function onWarning(): never {
  throw new NotPlain();
}

/**
 * The value of a text that is plain YAML, a mapping or a list: what `readYaml` comes to, without problems and warnings, in a tenth of the
 * time. Undefined for all other texts, well or not, and for some plain ones.
 */
export function plainYaml(text: string): object | undefined {
  if (!ONLY_ASCII.test(text) || NOT_PLAIN.test(text)) return undefined;
  try {
    const value = load(text, { schema, listener, onWarning, maxDepth: MAX_LEVELS });
    return isCollection(value) && unwrap(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

const isCollection = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !(value instanceof Meaning);

/** Puts what words mean in their places. False when a key may not be the text that is written. */
function unwrap(collection: Record<string, unknown>): boolean {
  for (const [key, value] of Object.entries(collection)) {
    if (key === MEANING_AS_KEY || key === NO_KEY || key.length > MAX_KEY_CHARS) return false;
    if (value instanceof Meaning) collection[key] = value.value;
    else if (isCollection(value) && !unwrap(value)) return false;
  }
  return true;
}
