/**
 * LAVA numbers its tags, permissions and groups; here each has a number that is made of its name and so never changes. Not the
 * number that a LAVA server gave it.
 */
export function numberOf(kind: "tag" | "permission" | "secret", name: string): number {
  // FNV-1a, 31 bits of it: no secret, and few enough names that no two are alike.
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(`${kind}#${name}`)) {
    hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  }
  return (hash >>> 1) ^ (hash & 1) || 1;
}

/** The one of these that a path or body names, by its number or by its name. */
export const findNamed = <T>(
  items: readonly T[],
  kind: Parameters<typeof numberOf>[0],
  nameOf: (item: T) => string,
  wanted: string,
): T | undefined =>
  items.find((item) => nameOf(item) === wanted) ??
  items.find((item) => String(numberOf(kind, nameOf(item))) === wanted);
