/** What to say where an option has no value, by Node.js's words for that; undefined for what else is wrong with a command line. */
export function valueWanted(said: string): string | undefined {
  const [, missing] = /^Option '(?:-\w, )?(--?[\w-]+)[^']*' argument missing/.exec(said) ?? [];
  if (missing !== undefined) return `${missing} wants a value`;
  const [, dashed] = /^Option .* is ambiguous[^]*use '(--[\w-]+)=/.exec(said) ?? [];
  return dashed === undefined
    ? undefined
    : `${dashed} wants a value; one that begins with - stands behind a =, as ${dashed}=-1`;
}
