/** Longer lines are shown as they are: what is hostile costs nothing. */
const LONGEST = 2000;

const TOKENS = {
  /** Jinja2's comments and tags, YAML's comments, texts in quotes, keys. */
  text: /(?<comment>\{#.*?#\}|(?:(?<=\s)|^)#.*$)|(?<tag>\{%.*?%\}|\{\{.*?\}\})|(?<string>"(?:[^"\\]|\\.)*"|'[^']*')|(?<key>(?<=^[ \t]*(?:-[ \t]+)*)[\w./-]+(?=:(?:\s|$)))/g,
  tag: /(?<string>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|(?<word>\b(?:extends|set|if|elif|else|endif|for|endfor|in|macro|endmacro|block|endblock|import|from|include|with|endwith|not|and|or|is)\b)/g,
};

/** A line of YAML or of a Jinja2 template with its words told apart; a text over several lines is not known as such. */
export function Highlighted({ line }: { line: string }) {
  if (line.length > LONGEST) return <>{line}</>;
  return <>{pieces(line, "text")}</>;
}

function pieces(line: string, kind: keyof typeof TOKENS) {
  const shown: unknown[] = [];
  let end = 0;
  for (const match of line.matchAll(TOKENS[kind])) {
    const [word] = match;
    shown.push(line.slice(end, match.index));
    end = match.index + word.length;
    const name = Object.keys(match.groups ?? {}).find((group) => match.groups?.[group]);
    shown.push(<span class={`hl-${name}`}>{name === "tag" ? pieces(word, "tag") : word}</span>);
  }
  return [...shown, line.slice(end)] as string[];
}
