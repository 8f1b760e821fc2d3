import { readYaml } from "#protocol/read-yaml.ts";
import type { Deps } from "../deps.ts";
import { definitionBlob } from "../blob-names.ts";

const MOST_ATTRIBUTES = 100;
const LONGEST_NAME = 100;
const LONGEST_VALUE = 1000;
/** Attributes by their definition's hash: a large one takes seconds to be read, and everybody who sees the job asks. */
const known = new Map<string, Readonly<Record<string, string>>>();
const MOST_KNOWN = 20;

/**
 * The attributes of a job: `metadata` of its definition (SCHEDULER.md 8), each as text, a list or mapping as JSON. At most 100,
 * and what is longer than anybody compares is cut. None when the definition is gone.
 */
export async function jobMetadata(deps: Deps, id: number): Promise<Record<string, string>> {
  return (await readAttributes(deps, id)).metadata;
}

/** The same, with a hash of the definition. */
export async function readAttributes(
  deps: Deps,
  id: number,
): Promise<{ metadata: Record<string, string>; definition: string }> {
  const bytes = await deps.blobs.get(definitionBlob(id));
  if (!bytes) return { metadata: {}, definition: "" };
  const hash = deps.system.hash(bytes);
  const metadata = known.get(hash) ?? attributesOf(new TextDecoder().decode(bytes));
  known.delete(hash);
  known.set(hash, metadata);
  const [oldest] = known.size > MOST_KNOWN ? known.keys() : [];
  if (oldest !== undefined) known.delete(oldest);
  return { metadata: { ...metadata }, definition: hash.slice(0, 16) };
}

function attributesOf(text: string): Record<string, string> {
  // Most definitions have none, and need not be read.
  const mayHave = /^\s*["']?metadata["']?\s*:/m.test(text) || text.trimStart().startsWith("{");
  return mayHave ? attributesIn(readYaml(text).value) : {};
}

function attributesIn(definition: unknown): Record<string, string> {
  const { metadata } = (definition ?? {}) as { metadata?: unknown };
  if (typeof metadata !== "object" || metadata === null || Array.isArray(metadata)) return {};
  const entries = Object.entries(metadata).slice(0, MOST_ATTRIBUTES);
  return Object.fromEntries(
    entries.map(([name, value]) => [name.slice(0, LONGEST_NAME), asText(value)]),
  );
}

const asText = (value: unknown): string =>
  (typeof value === "string" ? value : (JSON.stringify(value) ?? "")).slice(0, LONGEST_VALUE);
