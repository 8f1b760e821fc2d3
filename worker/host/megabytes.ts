/** A number of megabytes as a person writes it; undefined when it is none. */
export function megabytesOf(value: unknown): number | undefined {
  const text = String(value ?? "").trim();
  return /^\d{1,9}(\.\d+)?$/.test(text) ? Number(text) : undefined;
}
