import { appendFileSync, existsSync, mkdirSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import path from "node:path";
import * as v from "valibot";
import { faultOfLabUrl } from "#protocol/lab-url.ts";
import { readYaml } from "#protocol/read-yaml.ts";
import { newPrivateFile } from "./private-file.ts";
import { readNamedFile, textOf, UsageError, type Options, type Values } from "./command.ts";

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
  const url = urlOf(values, env);
  const file = textOf(values, "token-file");
  const token =
    (file === undefined ? env["PUMICE_TOKEN"]?.trim() : undefined) ||
    readToken(...tokenFileOf(file, env, config.token_file));
  // Anything else can't be sent in a header.
  if (!/^[!-~]+$/.test(token)) throw new UsageError("the token is not one word of plain letters");
  return { url, token };
}

/** Where the control plane is, as in `connectionOf`; for what needs no token. */
export function urlOf(values: Values, env: NodeJS.ProcessEnv): string {
  const url = textOf(values, "url") || env["PUMICE_URL"] || readConfig(env).url;
  if (!url) {
    throw new UsageError(
      `which control plane? Give --url URL, set PUMICE_URL, or write \`url: ...\` into ${configFile(env)}`,
    );
  }
  const fault = faultOfLabUrl(url);
  if (fault !== undefined) throw new UsageError(fault);
  return url;
}

/**
 * Where a token is kept that this program is given: the file that the options, PUMICE_TOKEN_FILE or the configuration name, or
 * `token` beside the configuration, which is written when there is none. @returns its path.
 */
export function keepToken(values: Values, env: NodeJS.ProcessEnv, token: string): string {
  const config = configFile(env);
  const named =
    textOf(values, "token-file") || env["PUMICE_TOKEN_FILE"] || readConfig(env).token_file;
  const file = named ?? path.join(path.dirname(config), "token");
  mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 });
  newPrivateFile(file).write(`${token}\n`);
  if (named !== undefined) return file;
  if (existsSync(config)) appendFileSync(config, "\ntoken_file: token\n");
  else writeFileSync(config, `url: ${JSON.stringify(urlOf(values, env))}\ntoken_file: token\n`);
  return file;
}

/** The file with the token, and what named it, when that was not the command line. */
function tokenFileOf(
  typed: string | undefined,
  env: NodeJS.ProcessEnv,
  configured: string | undefined,
): [file: string | undefined, from: string] {
  if (typed !== undefined) return [typed, ""];
  const named = env["PUMICE_TOKEN_FILE"];
  return named ? [named, "PUMICE_TOKEN_FILE: "] : [configured, `${configFile(env)}: token_file: `];
}

function readToken(file: string | undefined, from: string): string {
  if (file === undefined) {
    throw new UsageError(
      "no token: give --token-file FILE, set PUMICE_TOKEN or PUMICE_TOKEN_FILE, or write `token_file: ...` into the configuration file",
    );
  }
  const token = readNamedFile(file, from).trim();
  if (token === "") throw new UsageError(`${from}${file}: there is no token in it`);
  return token;
}

const configSchema = v.nullish(
  v.looseObject({ url: v.optional(v.string()), token_file: v.optional(v.string()) }),
);

const configFile = (env: NodeJS.ProcessEnv): string =>
  path.join(env["XDG_CONFIG_HOME"] || path.join(homedir(), ".config"), "pumice/config.yaml");

/** `token_file` is meant from the file's own folder; `~/` is the home folder. */
function readConfig(env: NodeJS.ProcessEnv): { url?: string; token_file?: string } {
  const file = configFile(env);
  if (!existsSync(file)) return {};
  const { value, problems } = readYaml(readNamedFile(file));
  const [problem] = problems;
  if (problem) throw new UsageError(`${file}:${problem.line}: ${problem.message}`);
  const read = v.safeParse(configSchema, value);
  if (!read.success)
    throw new UsageError(`${file}: expected a mapping {url: ..., token_file: ...}`);
  const { url, token_file: token } = read.output ?? {};
  return {
    ...(url === undefined ? {} : { url }),
    ...(token === undefined
      ? {}
      : { token_file: path.resolve(path.dirname(file), token.replace(/^~(?=\/)/, homedir())) }),
  };
}
