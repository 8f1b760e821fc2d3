/** What to say where an option has no value, by Node.js's words for that; undefined for what else is wrong with a command line. */
export function valueWanted(said: string): string | undefined {
  const [, missing] = /^Option '(?:-\w, )?(--?[\w-]+)[^']*' argument missing/.exec(said) ?? [];
  if (missing !== undefined) return `${missing} wants a value`;
  const [, dashed] = /^Option .* is ambiguous[^]*use '(--[\w-]+)=/.exec(said) ?? [];
  return dashed === undefined
    ? undefined
    : `${dashed} wants a value; one that begins with - stands behind a =, as ${dashed}=-1`;
}

interface Token {
  readonly kind: string;
  readonly name?: string;
}

interface Option {
  readonly type: "string" | "boolean";
  readonly multiple?: boolean | undefined;
}

/** What to say where an option that has one value was given twice; undefined when none was. */
export function saidTwice(
  tokens: readonly Token[],
  options: Readonly<Record<string, Option>>,
): string | undefined {
  const seen = new Set<string>();
  for (const { kind, name } of tokens) {
    if (kind !== "option" || name === undefined) continue;
    const { type, multiple } = options[name] ?? {};
    if (type !== "string" || multiple === true) continue;
    if (seen.has(name)) return `--${name} is there twice: once is enough`;
    seen.add(name);
  }
  return undefined;
}
