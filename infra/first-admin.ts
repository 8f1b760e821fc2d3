import { existsSync } from "node:fs";
import { newPrivateFile, type PrivateFile } from "../control-plane/cli/private-file.ts";
import { system } from "../control-plane/node-system.ts";

/** The first administrator's token: the text for a file here, the hash for the stack. */
export interface FirstAdmin {
  readonly token: string;
  /** `TOKENID:SHA256`, as the template's parameter FirstAdmin has it. */
  readonly hash: string;
}

/** The same form as domain/tokens.ts makes. */
export function makeFirstAdmin(): FirstAdmin {
  const id = system.id();
  const token = `pumice_${id}_${system.randomToken()}`;
  return { token, hash: `${id}:${system.hash(token)}` };
}

/** Opened before anything is made, as a token that can't be written would be lost. Throws when the file is there. */
export function openTokenFile(file: string): PrivateFile {
  if (existsSync(file)) {
    throw new Error(
      `${file} is there already: it may be the token of another lab; move it, or give --token-file`,
    );
  }
  return newPrivateFile(file);
}
