/**
 * Splits text into words as a POSIX shell does with quotes and backslashes, and does nothing else: no
 * variables, no globs, no commands.
 *
 * @throws Error when a quote is not closed.
 */
export function shellWords(text: string): string[] {
  const words: string[] = [];
  let word: string | undefined;
  const pieces = /\s+|'([^']*)'|"((?:\\[\s\S]|[^"\\])*)"|\\([\s\S])|([^\s'"\\]+)/gy;
  let end = 0;
  for (let piece = pieces.exec(text); piece; piece = pieces.exec(text)) {
    end = pieces.lastIndex;
    const [all, single, double, escaped, plain] = piece;
    if (/^\s/.test(all)) {
      if (word !== undefined) words.push(word);
      word = undefined;
      continue;
    }
    // Within double quotes a backslash is itself, except before these.
    const unquoted = double?.replace(/\\([\\"$`\n])/g, (_, c: string) => (c === "\n" ? "" : c));
    word = (word ?? "") + (single ?? unquoted ?? (escaped === "\n" ? "" : escaped) ?? plain ?? "");
  }
  if (end < text.length) {
    throw new Error(`a quote is not closed: ${JSON.stringify(text.slice(end, end + 40))}`);
  }
  if (word !== undefined) words.push(word);
  return words;
}
