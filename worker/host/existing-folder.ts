import { stat } from "node:fs/promises";

/** The folder itself when it is there, else undefined. */
export const existingFolder = (folder: string): Promise<string | undefined> =>
  stat(folder).then(
    (found) => (found.isDirectory() ? folder : undefined),
    () => undefined,
  );
