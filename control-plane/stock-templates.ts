import { existsSync, readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import type { Loader } from "./templates/frame.ts";

/** The device types that Pumice brings: beside the bundled program, or at the top of the sources. */
export function stockTemplatesFolder(): string {
  const here = import.meta.dirname;
  const bundled = path.join(here, "device-templates");
  return existsSync(bundled) ? bundled : path.resolve(here, "../device-templates");
}

/** Pumice's own device types by file name, each read once. */
export const stockTemplates = (): Loader => folderLoader(stockTemplatesFolder());

/**
 * Templates of a folder by file name, each read once; undefined for one that is not there. Whoever renders has
 * made sure that the name is no path.
 */
export function folderLoader(folder: string): Loader {
  const texts = new Map<string, string | undefined>();
  const load = (name: string): string | undefined => {
    if (!texts.has(name)) texts.set(name, readIfThere(path.join(folder, name)));
    return texts.get(name);
  };
  const names = () => readdirSync(folder).toSorted();
  return Object.assign(load, { names });
}

/** The first loader that has a template wins: an admin's own before Pumice's. */
export function firstOf(...loaders: readonly Loader[]): Loader {
  return (name) => {
    for (const load of loaders) {
      const text = load(name);
      if (text !== undefined) return text;
    }
    return undefined;
  };
}

function readIfThere(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR" || code === "EISDIR") return undefined;
    throw error;
  }
}
