/**
 * PyYAML takes no notice of indentation inside a quoted scalar; the yaml package refuses one that goes on at the
 * left margin, as in the constants of every LAVA device (RENDER-TRAPS.md 3.1). What is put in is indentation only, so
 * lines stay what they are.
 */
export interface Indented {
  text: string;
  /** The place in the text as it was. */
  original: (offset: number) => number;
}

/**
 * One token: a comment, the head of a block scalar, or plain text up to where another may begin. A quote opens a
 * scalar only where a token begins: in plain text it is text.
 */
const TOKEN =
  /(?<comment>#[^\n]*)|(?<quote>['"])|(?<block>[|>][-+0-9]*[ \t]*(?:#[^\n]*)?\n)|(?<mark>[-?:,[\]{}]|[&!*][^\s,[\]{}]*)|(?<plain>[^\s#'"|>,[\]{}&!*?:-](?:[^\s:,[\]{}#]|:(?!\s)|#|[^\S\n]+(?![#\s]))*)|(?<space>\s+)|(?<rest>[\s\S])/gy;

/** Indents the lines on which quoted scalars go on, so that they stand right of where the scalar began. */
export function indentQuotedScalars(text: string): Indented {
  const added: { at: number; count: number }[] = [];
  const unclosed = new Set<string>();
  let out = "";
  let from = 0;
  let lineEnd = -1;
  TOKEN.lastIndex = 0;
  for (let match = TOKEN.exec(text); match; match = TOKEN.exec(text)) {
    const { index: start, groups: { block, quote } = {} } = match;
    if (block !== undefined) TOKEN.lastIndex = endOfBlock(text, start, TOKEN.lastIndex);
    if (quote === undefined || unclosed.has(quote)) continue;
    const end = endOfQuoted(text, start);
    if (end === undefined) {
      // No later one of its kind is closed either: not looked for again.
      unclosed.add(quote);
      continue;
    }
    TOKEN.lastIndex = end;
    // Looked for once for all the scalars of a line, however many stand in it.
    if (lineEnd < start) lineEnd = breakFrom(text, start);
    if (lineEnd >= end) continue;
    const column = start - (text.lastIndexOf("\n", start) + 1);
    for (let at = text.indexOf("\n", start); at >= 0 && at < end; at = text.indexOf("\n", at + 1)) {
      const width = indentation(text, at + 1);
      const isBlank = text[at + 1 + width] === "\n";
      if (isBlank || width > column) continue;
      const count = column + 1 - width;
      out += text.slice(from, at + 1) + " ".repeat(count);
      from = at + 1;
      added.push({ at: out.length, count });
    }
  }
  if (added.length === 0) return { text, original: (offset) => offset };
  return {
    text: out + text.slice(from),
    original: (offset) =>
      added.reduce((place, { at, count }) => (at <= offset ? place - count : place), offset),
  };
}

const breakFrom = (text: string, at: number): number => {
  const found = text.indexOf("\n", at);
  return found < 0 ? text.length : found;
};

/** Just after the quote that closes the scalar; undefined when none does. */
function endOfQuoted(text: string, start: number): number | undefined {
  const quote = text[start] ?? "";
  let at = start + 1;
  for (;;) {
    const close = text.indexOf(quote, at);
    if (close < 0) return undefined;
    if (quote === "'") {
      if (text[close + 1] !== "'") return close + 1;
      at = close + 2;
      continue;
    }
    let slashes = 0;
    while (text[close - 1 - slashes] === "\\") slashes += 1;
    if (slashes % 2 === 0) return close + 1;
    at = close + 1;
  }
}

/** A block scalar ends before the first line that is indented no further than the line it began on. */
function endOfBlock(text: string, start: number, body: number): number {
  const around = indentation(text, text.lastIndexOf("\n", start - 1) + 1);
  let at = body;
  while (at < text.length) {
    const width = indentation(text, at);
    const isBlank = text[at + width] === "\n" || at + width >= text.length;
    if (!isBlank && width <= around) return at;
    const end = text.indexOf("\n", at);
    if (end < 0) return text.length;
    at = end + 1;
  }
  return text.length;
}

function indentation(text: string, lineStart: number): number {
  let at = lineStart;
  while (text[at] === " ") at += 1;
  return at - lineStart;
}
