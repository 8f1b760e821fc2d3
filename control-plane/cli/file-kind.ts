import path from "node:path";

/** What a file of a lab is, as far as its name and its text tell. */
export type FileKind = "job" | "device" | "device-type" | "configuration" | "test-definition";

/**
 * A Jinja2 file is a device type when its folder or its name says so or when it extends nothing, else a device
 * dictionary. YAML is told by its keys, and is a job when nothing else fits: most files that people check are.
 */
export function fileKind(file: string, text: string, value: unknown): FileKind {
  if (file.endsWith(".jinja2")) {
    const folder = path.basename(path.dirname(path.resolve(file)));
    const isType =
      ["device-types", "device-templates"].includes(folder) ||
      path.basename(file).startsWith("base") ||
      !/\{%-?\s*extends\s/.test(text);
    return isType ? "device-type" : "device";
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) return "job";
  const { actions, metadata, run } = value as Record<string, unknown>;
  if (actions === undefined && metadata !== undefined && run !== undefined)
    return "test-definition";
  const isMapping = typeof actions === "object" && actions !== null && !Array.isArray(actions);
  return isMapping ? "configuration" : "job";
}
