import { escapeHtml } from "./escape-html.ts";

/** `- `s, a key and its colon. Keys are plain or quoted. */
const KEY =
  /^(\s*(?:- +)*)("(?:[^"\\]|\\.)*"|'[^']*'|[^\s#"'[\]{},&*!|>%@`-][^\s:#]*(?: [^\s:#]+)*)(\s*:)(?=\s|$)/;
const DASHES = /^\s*(?:- +)+/;
/** What begins a text of several lines. To YAML there are more line ends than one: no expression stops at them, to begin again at each `#`. */
const BLOCK = /(?:^|\s)[|>][+-]?\d?[+-]?\s*(?:#[^]*)?$/;
const COMMENT = /(?:^|\s)#[^]*$/;
const WORD = /^(?:true|false|null|~|yes|no|on|off|-?\d[\d_]*(?:\.\d+)?)$/i;

/** Lines as HTML with the classes y-key, y-comment, y-word, y-text; guesses, as an editor's colours do, and never fails. */
export function yamlLines(lines: readonly string[]): string[] {
  let block: number | undefined;
  return lines.map((line) => {
    const depth = line.search(/\S/);
    if (block !== undefined && (depth < 0 || depth > block)) return mark("y-text", line);
    block = undefined;
    const { html, opens } = lineHtml(line);
    // What follows a dash is as deep as the dash.
    if (opens) block = Math.max(0, depth);
    return html;
  });
}

function lineHtml(line: string): { html: string; opens: boolean } {
  // An expression on a line as long as a definition may be is not worth the time.
  if (line.length > MOST_CHARS) return { html: escapeHtml(line), opens: false };
  if (/^\s*#/.test(line)) return { html: mark("y-comment", line), opens: false };
  const [head = "", lead = "", key = "", colon = ""] = KEY.exec(line) ?? [];
  const dashes = head === "" ? (DASHES.exec(line)?.[0] ?? "") : "";
  const value = line.slice(head.length + dashes.length);
  const start = escapeHtml(lead + dashes);
  const named = head === "" ? "" : `${mark("y-key", key)}${colon}`;
  return { html: start + named + valueHtml(value), opens: BLOCK.test(value) };
}

const MOST_CHARS = 1000;

function valueHtml(value: string): string {
  const isQuoted = /^\s*["'[{]/.test(value);
  const comment = isQuoted ? undefined : COMMENT.exec(value);
  const body = comment ? value.slice(0, comment.index) : value;
  const tail = comment ? mark("y-comment", value.slice(comment.index)) : "";
  if (/^\s*["'].*["']\s*$/.test(body)) return mark("y-text", body) + tail;
  return (WORD.test(body.trim()) ? mark("y-word", body) : escapeHtml(body)) + tail;
}

const mark = (name: string, text: string): string =>
  text.trim() === "" ? escapeHtml(text) : `<span class="${name}">${escapeHtml(text)}</span>`;
