import { readFileSync } from "node:fs";
import type { ParseArgsConfig } from "node:util";
import type { Client } from "./client.ts";
import { systemErrorWords } from "./system-error-words.ts";
import type { Terminal } from "./terminal.ts";

export type Options = NonNullable<ParseArgsConfig["options"]>;
export type Values = Record<string, string | boolean | (string | boolean)[] | undefined>;

export interface Context {
  readonly terminal: Terminal;
  /**
   * The control plane; fails with a UsageError when nobody said where it is. A patient client bears a restart
   * of the control plane, and says that it waits.
   */
  client: (patience?: "patient") => Client;
  readonly values: Values;
  readonly positionals: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  /** Aborted by the first Ctrl-C. */
  readonly signal: AbortSignal;
}

export interface Command {
  /** Words after `pumice`, then arguments: `workers add NAME`. */
  readonly usage: string;
  readonly about: string;
  readonly options?: Options;
  /** Asks no control plane, and has no options that say which. */
  readonly isLocal?: boolean;
  /** A line for each option, as `--help` shows it. */
  readonly help?: readonly string[];
  /** @returns the exit code. */
  run: (context: Context) => Promise<number>;
}

/** What was typed is wrong: exit code 2. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** The positional arguments a command wants, by number. */
export function argumentsOf(context: Context, ...names: string[]): string[] {
  const { positionals } = context;
  const missing = names[positionals.length];
  if (missing !== undefined) throw new UsageError(`${missing} is missing`);
  const extra = positionals[names.length];
  if (extra !== undefined) throw new UsageError(`unexpected argument ${extra}`);
  const empty = names.find((name, n) => positionals[n] === "" && name !== "VALUE");
  if (empty !== undefined) throw new UsageError(`${empty} is empty`);
  return [...positionals];
}

/** A job's number, or `FIRST_ID.NUMBER` of a job of a multinode group. */
export type JobId = number | string;

/** A job's id among the arguments. */
export function jobIdOf(context: Context): JobId {
  const [text = ""] = argumentsOf(context, "ID");
  if (!/^[1-9]\d{0,14}(\.\d{1,3})?$/.test(text)) throw new UsageError(`${text} is no job number`);
  return text;
}

/** The text of a file that the command line names, or `from`, as what is wrong with it begins: "PUMICE_TOKEN_FILE: ". */
export function readNamedFile(file: string, from = ""): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    throw new UsageError(`${from}${systemErrorWords(error as Error, file)}`);
  }
}

/** The value of an option that takes one. */
export function textOf(values: Values, name: string): string | undefined {
  const value = values[name];
  return typeof value === "string" ? value : undefined;
}

/** The value of an option that counts something. */
export function countOf(values: Values, name: string): number | undefined {
  const text = textOf(values, name);
  if (text === undefined) return undefined;
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  throw new UsageError(`--${name} ${JSON.stringify(text)}: expected a number from 1`);
}

/** Throws when more than one of these options was given, each of which asks for something else. */
export function refuseBoth(values: Values, ...names: string[]): void {
  const given = names.filter((name) => values[name] !== undefined && values[name] !== false);
  if (given.length > 1) {
    throw new UsageError(`${given.map((name) => `--${name}`).join(" or ")}, not both`);
  }
}

/** The option of every command that can print JSON, and its line of help. */
export const JSON_OPTION = { json: { type: "boolean" } } as const;
export const JSON_HELP = "--json              print JSON";
