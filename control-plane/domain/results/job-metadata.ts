import { readYaml } from "#protocol/read-yaml.ts";
import type { Deps } from "../deps.ts";
import { definitionBlob } from "../blob-names.ts";

const MOST_ATTRIBUTES = 100;
const LONGEST_NAME = 100;
const LONGEST_VALUE = 1000;

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
  const text = new TextDecoder().decode(bytes);
  // Most definitions have none, and need not be read.
  const mayHave = /^\s*["']?metadata["']?\s*:/m.test(text) || text.trimStart().startsWith("{");
  return {
    metadata: mayHave ? attributesIn(readYaml(text).value) : {},
    definition: deps.system.hash(bytes).slice(0, 16),
  };
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
