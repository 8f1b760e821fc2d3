import { createHash, randomBytes } from "node:crypto";
import { readFileSync, rmSync } from "node:fs";
import type { RotationRequest } from "#protocol/worker-api.ts";
import { readJsonFile } from "../host/atomic-file.ts";
import { writePrivateFile } from "../host/settings-file.ts";

/** The worker's token in its file, and the one that is to take its place. */
export interface TokenKeeper {
  readonly current: () => string;
  /** The current token was refused: the file may have another one, or the next one may be valid already. */
  readonly refused: () => void;
  /** The current token is good. */
  readonly accepted: () => void;
  /**
   * Makes another token and has it registered; from then on it is the current one. It is on the disk from before, so that it is
   * found again whenever this process ends. Never throws; says once what is in the way.
   */
  readonly rotate: (
    id: string,
    register: (request: RotationRequest) => Promise<void>,
  ) => Promise<void>;
}

/** Throws when the file has no token. */
export function tokenKeeper(file: string, log: (line: string) => void): TokenKeeper {
  const draftFile = `${file}.next`;
  let token = readToken(file);
  let isDraft = false;
  let said = "";
  const say = (line: string): void => {
    if (line !== said) log(line);
    said = line;
  };

  return {
    current: () => token,
    refused() {
      try {
        const draft = draftIn(draftFile)?.token;
        const tryDraft = draft !== undefined && !isDraft;
        token = tryDraft ? draft : readToken(file);
        isDraft = tryDraft;
      } catch (error) {
        log((error as Error).message);
      }
    },
    accepted() {
      if (!isDraft) return;
      try {
        writePrivateFile(file, `${token}\n`);
        rmSync(draftFile, { force: true });
        isDraft = false;
      } catch (error) {
        say(`the new token stays in ${draftFile}: ${(error as Error).message}`);
      }
    },
    async rotate(id, register) {
      try {
        const next = nextToken(id, draftFile);
        await register({
          rotation: id,
          token_id: next.split("_")[1] ?? "",
          token_hash: createHash("sha256").update(next).digest("hex"),
        });
        token = next;
        isDraft = true;
        log("the control plane asked for another token of this worker: it has one now");
      } catch (error) {
        say(`this worker can't have another token: ${(error as Error).message}`);
      }
    },
  };
}

/** The token that was made for this request before, or a fresh one, kept. */
function nextToken(id: string, draftFile: string): string {
  const draft = draftIn(draftFile);
  if (draft?.of === id) return draft.token;
  const token = `pumice_${randomBytes(8).toString("hex")}_${randomBytes(32).toString("base64url")}`;
  writePrivateFile(draftFile, JSON.stringify({ of: id, token }));
  return token;
}

function draftIn(file: string): { of: string; token: string } | undefined {
  const { of, token } = (readJsonFile(file) ?? {}) as { of?: unknown; token?: unknown };
  return typeof of === "string" && typeof token === "string" ? { of, token } : undefined;
}

function readToken(file: string): string {
  const token = textOf(file).trim();
  if (!/^[\x21-\x7e]+$/.test(token)) {
    throw new Error(`${file}: expected one line with the token that "pumice workers add" printed`);
  }
  return token;
}

function textOf(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const why =
      code === "ENOENT" ? `there is no file ${file}` : `${file} can't be read (${message})`;
    throw new Error(
      `${why}: expected the token that "pumice workers add" printed; "pumice-worker enrol URL CODE" writes one by itself`,
      { cause: error },
    );
  }
}
