/** A stock server takes 2.5 MB of form in one request, where a character may take 9 bytes. */
const MAX_POST_CHARS = 250_000;
/** As many as a stock job process sends at once (API.md 1.6). */
const MAX_POST_LINES = 1000;

/** Lines of a log, a record of JSON each, as LAVA's server reads them: its parser of YAML takes JSON but for a few characters. */
export const lavaLines = (text: string): string[] =>
  text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => line.replace(ZONE, "$1").replace(PAIR, pairOf).replace(ODD, escaped));

/** The lines in as many parts as it takes to send them. */
export function inPosts(lines: readonly string[]): string[][] {
  const posts: string[][] = [];
  let chars = Infinity;
  for (const line of lines) {
    const last = posts.at(-1);
    if (last && last.length < MAX_POST_LINES && chars + line.length <= MAX_POST_CHARS) {
      last.push(line);
      chars += line.length;
    } else {
      posts.push([line]);
      chars = line.length;
    }
  }
  return posts;
}

/** As a form has them. */
export const linesField = (lines: readonly string[]): string =>
  lines.map((line) => `- ${line}`).join("\n");

/** LAVA's times have no zone. */
const ZONE = /^(\{"dt":"[^"]{1,40})\+00:00(?=")/;

/** Halves of characters, as JSON escapes those that stand alone: to YAML each is an error, and the server would take none of the lines. */
const PAIR = /(?<!\\)((?:\\\\)*)\\u(d[89a-f][0-9a-f]{2})/gi;
const pairOf = (_: string, before: string): string => `${before}\\ufffd`;

/** Characters that PyYAML refuses, or takes for the end of a line. */
// eslint-disable-next-line no-control-regex
const ODD = /[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]/g;
const escaped = (character: string): string =>
  `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
