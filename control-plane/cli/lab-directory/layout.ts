import type { LabSection } from "#protocol/lab.ts";

/**
 * How a lab stands in files, near to LAVA's own dispatcher-config: a YAML file per section, name by name, and a file of
 * its own for each text.
 */

/** Sections that are one file: a mapping from names to fields. */
export const SECTION_FILES = {
  settings: "settings.yaml",
  device_types: "device-types.yaml",
  aliases: "aliases.yaml",
  tags: "tags.yaml",
  users: "users.yaml",
  groups: "groups.yaml",
  workers: "workers.yaml",
  devices: "devices.yaml",
  windows: "windows.yaml",
  queries: "queries.yaml",
} as const;
export type FileSection = keyof typeof SECTION_FILES;

/** Folders that have the texts of a lab. */
export const TEXT_FOLDERS = ["device-types", "health-checks", "devices", "workers"] as const;

const WORKER_FILES = {
  dispatcher: "dispatcher.yaml",
  env: "env.yaml",
  env_dut: "env-dut.yaml",
} as const;
const isWorkerField = (field: string): field is keyof typeof WORKER_FILES =>
  Object.hasOwn(WORKER_FILES, field);

/** A text of a lab: which one, of whom. Of a template and a health check the field is `text`. */
export type LabText =
  | { section: "templates" | "health_checks"; name: string; field: "text" }
  | { section: "devices"; name: string; field: "dictionary" | "configuration" | "notes" }
  | { section: "workers"; name: string; field: keyof typeof WORKER_FILES };

/** The text that a file is, by its path from the lab's directory. */
export function textAt(file: string): LabText | undefined {
  const [folder, second = "", third] = file.split("/");
  if (folder === "workers") {
    const [field] = Object.entries(WORKER_FILES).find(([, name]) => name === third) ?? [];
    return field && isWorkerField(field) ? { section: "workers", name: second, field } : undefined;
  }
  if (third !== undefined) return undefined;
  const [, name = "", ending] = /^(.+)\.(jinja2|yaml|notes\.md)$/.exec(second) ?? [];
  switch (`${folder}/${ending}`) {
    case "device-types/jinja2":
      return { section: "templates", name: second, field: "text" };
    case "health-checks/yaml":
      return { section: "health_checks", name, field: "text" };
    case "devices/jinja2":
      return { section: "devices", name, field: "dictionary" };
    case "devices/yaml":
      return { section: "devices", name, field: "configuration" };
    case "devices/notes.md":
      return { section: "devices", name, field: "notes" };
    default:
      return undefined;
  }
}

/** The file of a text, or of the section when the field is none. */
export function fileOf(section: LabSection, name: string, field: string): string {
  switch (section) {
    case "templates":
      return `device-types/${name}`;
    case "health_checks":
      return `health-checks/${name}.yaml`;
    case "devices":
      if (field === "dictionary") return `devices/${name}.jinja2`;
      if (field === "notes") return `devices/${name}.notes.md`;
      return field === "configuration" ? `devices/${name}.yaml` : SECTION_FILES.devices;
    case "workers":
      return isWorkerField(field)
        ? `workers/${name}/${WORKER_FILES[field]}`
        : SECTION_FILES.workers;
    case "settings":
    case "windows":
    case "device_types":
    case "aliases":
    case "tags":
    case "users":
    case "groups":
    case "queries":
      return SECTION_FILES[section];
  }
}
