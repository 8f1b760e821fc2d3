import { readFileSync } from "node:fs";

/** A template's text; undefined when there is no such file. @throws Error when it is there and can't be read. */
export function readTemplate(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== "ENOENT" && code !== "ENOTDIR" && code !== "EISDIR") throw error;
    return undefined;
  }
}
