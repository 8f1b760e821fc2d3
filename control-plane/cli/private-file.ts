import { renameSync, rmSync, statSync, writeFileSync } from "node:fs";

export interface PrivateFile {
  write: (text: string) => void;
  discard: () => void;
}

/**
 * A file that only its owner may read. What was there before stays until the new text is whole; what is no file (`/dev/null`, a pipe) is
 * written to and stays what it is.
 */
export function newPrivateFile(file: string): PrivateFile {
  const found = statSync(file, { throwIfNoEntry: false });
  if (found && !found.isFile()) {
    return { write: (text) => writeFileSync(file, text), discard: () => {} };
  }
  const draft = `${file}.new`;
  rmSync(draft, { force: true });
  writeFileSync(draft, "", { mode: 0o600, flag: "wx" });
  return {
    write: (text) => {
      writeFileSync(draft, text);
      renameSync(draft, file);
    },
    discard: () => rmSync(draft, { force: true }),
  };
}
