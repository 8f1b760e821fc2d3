import path from "node:path";
import { readTemplate } from "./host/read-template.ts";

/**
 * The text of a device type that Pumice brings; undefined when there is none of that name. Whoever asks has made sure
 * that the name is no path. A bundle has the texts inside instead (scripts/bundle-worker.ts).
 */
export const stockTemplate = (name: string): string | undefined =>
  readTemplate(path.join(import.meta.dirname, "../device-templates", name));
