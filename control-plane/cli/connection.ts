import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import path from "node:path";
import { parse } from "yaml";
import { textOf, UsageError, type Options, type Values } from "./command.ts";

/** Options that every command which talks to a control plane has. */
export const CONNECTION_OPTIONS: Options = {
  url: { type: "string" },
  "token-file": { type: "string" },
};

interface Connection {
  readonly url: string;
  readonly token: string;
}

/**
 * Where the control plane is and with which token: options, then PUMICE_URL with PUMICE_TOKEN or
 * PUMICE_TOKEN_FILE, then ~/.config/pumice/config.yaml (`url`, `token_file`).
 */
export function connectionOf(values: Values, env: NodeJS.ProcessEnv): Connection {
  const config = readConfig(env);
  const url = textOf(values, "url") ?? env["PUMICE_URL"] ?? config.url;
  if (!url) {
    throw new UsageError(
      "which control plane? Give --url URL, set PUMICE_URL, or write `url: ...` into ~/.config/pumice/config.yaml",
    );
  }
  if (!/^https?:\/\//.test(url)) throw new UsageError(`${url} is no http:// or https:// address`);
  const file = textOf(values, "token-file");
  const token =
    (file === undefined ? env["PUMICE_TOKEN"] : undefined) ??
    readToken(file ?? env["PUMICE_TOKEN_FILE"] ?? config.token_file);
  return { url, token };
}

function readToken(file: string | undefined): string {
  if (file === undefined) {
    throw new UsageError(
      "no token: give --token-file FILE, or set PUMICE_TOKEN or PUMICE_TOKEN_FILE",
    );
  }
  try {
    return readFileSync(file, "utf8").trim();
  } catch (error) {
    throw new UsageError(`the token can't be read: ${(error as Error).message}`);
  }
}

function readConfig(env: NodeJS.ProcessEnv): { url?: string; token_file?: string } {
  const folder = env["XDG_CONFIG_HOME"] || path.join(homedir(), ".config");
  const file = path.join(folder, "pumice/config.yaml");
  try {
    const content: unknown = parse(readFileSync(file, "utf8"));
    return content && typeof content === "object" ? content : {};
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return {};
    throw new UsageError(`${file}: ${(error as Error).message}`);
  }
}
