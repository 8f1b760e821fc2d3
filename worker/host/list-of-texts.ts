/** LAVA's "text or list of texts" as a list. */
export function listOfTexts(value: unknown): string[] {
  if (value === undefined || value === null) return [];
  return (Array.isArray(value) ? value : [value]).map(String);
}
