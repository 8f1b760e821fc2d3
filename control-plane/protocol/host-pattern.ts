/**
 * Whether a pattern, with `*` for any characters, is all of a host's name; in lower case, both. No regular expression: one of many `*`
 * would keep the process busy for minutes.
 */
export function isHostOf(pattern: string, hostname: string): boolean {
  const [first = "", ...parts] = pattern.split("*");
  const last = parts.pop();
  if (last === undefined) return hostname === first;
  if (!hostname.startsWith(first)) return false;
  let at = first.length;
  for (const part of parts) {
    const found = hostname.indexOf(part, at);
    if (found < 0) return false;
    at = found + part.length;
  }
  return hostname.length - last.length >= at && hostname.endsWith(last);
}
