import { TemplateError } from "./template-error.ts";

export interface Token {
  readonly kind: "name" | "text" | "int" | "float" | "operator" | "end";
  /** Decoded, for `text`. */
  readonly value: string;
  readonly line: number;
}

/** A piece of a template: text as it is, or the tokens of a tag. */
export type Piece =
  | { readonly kind: "text"; readonly text: string; readonly line: number }
  | { readonly kind: "output" | "statement"; readonly tokens: Token[]; readonly line: number };

const OPENING = /\{(?:%|\{|#)[-+]?/g;

/**
 * Cuts a template into text and tags as Jinja2 does with `trim_blocks` on, `lstrip_blocks` and
 * `keep_trailing_newline` off (DEVICE.md 4).
 *
 * @throws TemplateError for a tag that doesn't end or a character that has no meaning there.
 */
export function cut(source: string, template: string): Piece[] {
  const text = source.replace(/\r\n?/g, "\n").replace(/\n$/, "");
  const pieces: Piece[] = [];
  let at = 0;
  let line = 1;
  const advance = (end: number): void => {
    line += count(text.slice(at, end));
    at = end;
  };
  const addText = (end: number, strip: boolean): void => {
    const raw = text.slice(at, end);
    const kept = strip ? raw.replace(/\s+$/, "") : raw;
    if (kept !== "") pieces.push({ kind: "text", text: kept, line });
    advance(end);
  };
  while (at < text.length) {
    OPENING.lastIndex = at;
    const opening = OPENING.exec(text);
    if (!opening) {
      addText(text.length, false);
      break;
    }
    addText(opening.index, opening[0].endsWith("-"));
    const kind = opening[0][1];
    if (kind === "#") {
      const end = text.indexOf("#}", at + 2);
      if (end < 0)
        throw new TemplateError("a comment is not closed: #} is missing", template, line);
      const strips = text[end - 1] === "-";
      advance(end + 2);
      advance(at + afterTag(text, at, strips ? "-" : "", true));
      continue;
    }
    const start = at + opening[0].length;
    const closing = kind === "%" ? "%}" : "}}";
    const scan = scanTag(text, start, closing, template, line);
    const begun = line;
    advance(scan.end);
    advance(at + afterTag(text, at, scan.mark, kind === "%"));
    const [first] = scan.tokens;
    if (kind === "%" && first?.kind === "name" && first.value === "raw") {
      const endRaw = /\{%[-+]?\s*endraw\s*([-+]?)%\}/g;
      endRaw.lastIndex = at;
      const found = endRaw.exec(text);
      if (!found) throw new TemplateError("raw is not closed: endraw is missing", template, begun);
      addText(found.index, found[0].startsWith("{%-"));
      advance(at + found[0].length);
      advance(at + afterTag(text, at, found[1] ?? "", true));
      continue;
    }
    pieces.push({ kind: kind === "%" ? "statement" : "output", tokens: scan.tokens, line: begun });
  }
  return pieces;
}

/** Characters after a tag that belong to it: white space after `-`, the first newline of a block tag. */
function afterTag(text: string, at: number, mark: string, trims: boolean): number {
  if (mark === "-") return /^\s*/.exec(text.slice(at))?.[0].length ?? 0;
  return trims && mark !== "+" && text[at] === "\n" ? 1 : 0;
}

const TOKEN =
  /(\s+)|([A-Za-z_]\w*)|('(?:[^'\\]|\\[\s\S])*'|"(?:[^"\\]|\\[\s\S])*")|((?:0[xX](?:_?[\da-fA-F])+|0[bB](?:_?[01])+|0[oO](?:_?[0-7])+|(?:\d+(?:_\d+)*)(?:\.\d+(?:_\d+)*)?(?:[eE][-+]?\d+)?))|(\/\/|\*\*|==|!=|<=|>=|[-+/*%~[\](){}<>.:|,;=])/y;

function scanTag(
  text: string,
  start: number,
  closing: string,
  template: string,
  firstLine: number,
): { tokens: Token[]; end: number; mark: string } {
  const tokens: Token[] = [];
  let at = start;
  let line = firstLine;
  let depth = 0;
  for (;;) {
    const close = /^([-+]?)(%\}|\}\})/.exec(text.slice(at, at + 3));
    if (close && close[2] === closing && depth === 0) {
      tokens.push({ kind: "end", value: "", line });
      return { tokens, end: at + close[0].length, mark: close[1] ?? "" };
    }
    TOKEN.lastIndex = at;
    const found = TOKEN.exec(text);
    if (!found) {
      const what =
        at >= text.length
          ? `a tag is not closed: ${closing} is missing`
          : `unexpected ${JSON.stringify(text[at])}`;
      throw new TemplateError(what, template, line);
    }
    const [all, , name, quoted, number, operator] = found;
    if (name !== undefined) tokens.push({ kind: "name", value: name, line });
    else if (quoted !== undefined)
      tokens.push({ kind: "text", value: decodeText(quoted.slice(1, -1)), line });
    else if (number !== undefined) {
      const isFloat = /[.eE]/.test(number) && !/^0[xX]/.test(number);
      tokens.push({ kind: isFloat ? "float" : "int", value: number.replaceAll("_", ""), line });
    } else if (operator !== undefined) {
      if ("([{".includes(operator)) depth += 1;
      if (")]}".includes(operator)) depth = Math.max(0, depth - 1);
      tokens.push({ kind: "operator", value: operator, line });
    }
    line += count(all);
    at += all.length;
  }
}

const SIMPLE: Readonly<Record<string, string>> = {
  "\\": "\\",
  "'": "'",
  '"': '"',
  a: "\u0007",
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
  v: "\v",
  "\n": "",
};

/** Escapes of a Python literal; an unknown one keeps its backslash (RENDER-TRAPS.md 2.7). */
function decodeText(body: string): string {
  return body.replace(
    /\\(?:x([\da-fA-F]{2})|u([\da-fA-F]{4})|U([\da-fA-F]{8})|([0-7]{1,3})|([\s\S]))/g,
    (all, x?: string, u?: string, long?: string, octal?: string, simple?: string) => {
      const hex = x ?? u ?? long;
      if (hex !== undefined) return String.fromCodePoint(Math.min(parseInt(hex, 16), 0x10ffff));
      if (octal !== undefined) return String.fromCodePoint(parseInt(octal, 8));
      return simple !== undefined && Object.hasOwn(SIMPLE, simple) ? (SIMPLE[simple] ?? all) : all;
    },
  );
}

const count = (text: string): number => text.split("\n").length - 1;
