import { hostname } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { SCOPES } from "#protocol/sign-in.ts";
import type { BegunTerminal, RedeemedTerminal } from "#protocol/terminal-sign-in.ts";
import { makeClient } from "./client.ts";
import {
  argumentsOf,
  textOf,
  UsageError,
  type Command,
  type Context,
  type Values,
} from "./command.ts";
import { keepToken, urlOf } from "./connection.ts";
import { durationSeconds } from "./duration.ts";
import { printable } from "./printable.ts";

const PATIENCE_MS = 15_000;

export const signInCommand: Command = {
  usage: "sign-in",
  about:
    "print a link that signs a browser in, once; --browser: sign this terminal in by a browser",
  options: {
    browser: { type: "boolean" },
    scope: { type: "string", multiple: true },
    expires: { type: "string" },
    print: { type: "boolean" },
  },
  help: [
    "--browser           the other way round: you type a code on a page where you are signed in, and this program gets a",
    "                    token, which it keeps in --token-file, or beside its configuration",
    "--scope SCOPE       with --browser: read, submit (the default), workers, admin; may be given more than once",
    "--expires TIME      with --browser: 12h, 90d; default 30d",
    "--print             with --browser: print the token and keep it nowhere",
    "",
    "Without --browser the link works once, within ten minutes, and needs a token here.",
  ],
  run: signIn,
};

async function signIn(context: Context): Promise<number> {
  argumentsOf(context);
  if (context.values["browser"] === true) return byBrowser(context);
  for (const option of ["scope", "expires", "print"]) {
    if (option in context.values) throw new UsageError(`--${option} goes with --browser`);
  }
  const client = context.client();
  const { url } = await client.json<{ url: string }>("POST", "/sign-in-links");
  context.terminal.out(new URL(url, client.url).href);
  return 0;
}

async function byBrowser({ values, env, signal, terminal }: Context): Promise<number> {
  const url = urlOf(values, env);
  const client = makeClient({ url, token: "none", signal, patienceMs: PATIENCE_MS });
  const expires = textOf(values, "expires");
  const request = {
    ...(scopesIn(values) ? { scopes: scopesIn(values) } : {}),
    ...(expires === undefined ? {} : { expires_seconds: durationSeconds(expires, "--expires") }),
    machine: hostname().slice(0, 100),
  };
  const begun = await client.json<BegunTerminal>("POST", "/terminal-sign-ins", request);
  terminal.say(`Open this where you are signed in: ${new URL(begun.page, client.url).href}`);
  terminal.say(printable(`and type this code there, within ten minutes: ${begun.code}`));
  for (;;) {
    const { secret } = begun;
    const answer = await client.json<RedeemedTerminal>("POST", "/terminal-sign-ins/redeem", {
      secret,
    });
    if (answer.state === "waiting") {
      await sleep(Math.max(1, begun.poll_seconds) * 1000, undefined, { signal });
      continue;
    }
    if (values["print"] === true) {
      terminal.out(answer.token);
      return 0;
    }
    const file = keepToken(values, env, answer.token);
    const until = answer.expires === undefined ? "" : `, until ${answer.expires.slice(0, 10)}`;
    terminal.say(printable(`You are ${answer.name} here${until}; the token is in ${file}`));
    return 0;
  }
}

/** The scopes of `--scope`, which may have commas; undefined when there is none. Throws UsageError. */
export function scopesIn(values: Values): string[] | undefined {
  const scopes = (values["scope"] as string[] | undefined)?.flatMap((one) => one.split(","));
  const unknown = scopes?.find((one) => !(SCOPES as readonly string[]).includes(one));
  if (unknown === undefined) return scopes;
  throw new UsageError(`--scope: there is no scope ${unknown}; expected ${SCOPES.join(", ")}`);
}
