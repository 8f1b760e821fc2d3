import { LONGEST_TOKEN_SECONDS, type AddedToken, type TokenView } from "#protocol/tokens.ts";
import type { Me } from "#protocol/people.ts";
import type { SecretView } from "#protocol/sign-in.ts";
import {
  argumentsOf,
  JSON_HELP,
  JSON_OPTION,
  refuseBoth,
  textOf,
  UsageError,
  type Command,
  type Context,
} from "./command.ts";
import { printList } from "./print-list.ts";
import { removeNamed } from "./remove-named.ts";
import { scopesIn, signInCommand } from "./sign-in-command.ts";

const at = (name: string): string => encodeURIComponent(name);
const minutes = (time: string | undefined, otherwise: string): string =>
  time?.slice(0, 16).replace("T", " ") ?? otherwise;

/** Tokens, passwords and secrets: what people sign in with, and what their jobs may use. */
export const tokenCommands: readonly Command[] = [
  {
    usage: "tokens",
    about: "list tokens of people, workers and browsers",
    options: JSON_OPTION,
    help: [JSON_HELP],
    run: (context) =>
      printList<TokenView>(
        context,
        "/tokens",
        "tokens",
        ["ID", "KIND", "SUBJECT", "ADMIN", "SCOPES", "LAST USED (UTC)", "EXPIRES", "DESCRIPTION"],
        (token) => [
          token.id,
          token.kind,
          token.subject,
          token.admin ? "yes" : "",
          token.scopes?.join(",") ?? "",
          minutes(token.last_used, token.kind === "worker" ? "" : "never"),
          minutes(token.expires, ""),
          token.description,
        ],
      ),
  },
  {
    usage: "tokens add",
    about: "make a token for yourself or NAME, and print it, once",
    options: {
      admin: { type: "boolean" },
      "no-admin": { type: "boolean" },
      scope: { type: "string", multiple: true },
      expires: { type: "string" },
      description: { type: "string" },
    },
    help: [
      "NAME                another person, by an administrator; somebody new becomes a user by it",
      "--scope SCOPE       what it is good for: read, submit (jobs), workers (and devices), admin (all);",
      "                    may be given more than once; default: all that the person may",
      "--expires TIME      30m, 12h, 30d; default: never, or as the lab says",
      "--admin             somebody new becomes an administrator",
      "--no-admin          it may no more than others, though its person is an administrator",
      "--description TEXT",
    ],
    run: addToken,
  },
  {
    usage: "tokens rotate ID",
    about: "make a token like another one, which ends, and print it, once",
    options: { overlap: { type: "string" } },
    help: ["--overlap TIME      how long the old one is still good: 1h, 1d; default 0: not at all"],
    run: async (context) => {
      const [id = ""] = argumentsOf(context, "ID");
      const overlap = textOf(context.values, "overlap");
      const overlap_seconds = overlap === undefined ? 0 : secondsOf("overlap", overlap);
      const where = `/tokens/${at(id)}/rotate`;
      return show(context, await context.client().json("POST", where, { overlap_seconds }));
    },
  },
  {
    usage: "tokens revoke ID",
    about: "end a token",
    run: (context) => removeNamed(context, "tokens", "ID"),
  },
  {
    usage: "workers rotate NAME",
    about: "have a worker make itself another token",
    options: { overlap: { type: "string" } },
    help: [
      "--overlap TIME      how long those before are still good once it has: 0, 1h, 1d; default 1h",
      "A worker that must not have any token any more: pumice tokens revoke ID, at once.",
    ],
    run: async (context) => {
      const [name = ""] = argumentsOf(context, "NAME");
      const overlap_seconds = secondsOf("overlap", textOf(context.values, "overlap") ?? "1h");
      await context.client().json("POST", `/workers/${at(name)}/rotate`, { overlap_seconds });
      context.terminal.say(`${name} makes itself another token with its next sync`);
      return 0;
    },
  },
  signInCommand,
  {
    usage: "users password NAME",
    about: "set a person's password, your own or as an administrator",
    options: {
      stdin: { type: "boolean" },
      link: { type: "boolean" },
      "must-change": { type: "boolean" },
    },
    help: [
      "--stdin             read it from standard input instead of asking",
      "--link              print a link by which the person chooses it, once, within a day",
      "--must-change       the person has to choose another one when they sign in with it",
    ],
    run: setPassword,
  },
  {
    usage: "users sign-out NAME",
    about: "end all of a person's sessions in browsers",
    options: { tokens: { type: "boolean" } },
    help: ["--tokens            their API tokens, too"],
    run: async (context) => {
      const [name = ""] = argumentsOf(context, "NAME");
      const tokens = context.values["tokens"] === true;
      const { ended } = await context
        .client()
        .json<{ ended: number }>("POST", `/users/${at(name)}/sign-out`, { tokens });
      context.terminal.say(`${ended} of ${name} have ended`);
      return 0;
    },
  },
  {
    usage: "secrets",
    about: "list your remote artefact tokens: names that your jobs may use for their values",
    options: JSON_OPTION,
    help: [JSON_HELP],
    run: (context) =>
      printList<SecretView>(context, "/secrets", "secrets", ["NAME", "SET (UTC)"], (secret) => [
        secret.name,
        minutes(secret.created, ""),
      ]),
  },
  {
    usage: "secrets add NAME",
    about: "keep a value, from standard input, for your jobs' secrets and headers",
    run: (context) => putSecret(context, "secrets", "NAME"),
  },
  {
    usage: "secrets remove NAME",
    about: "forget one",
    run: (context) => removeNamed(context, "secrets", "NAME"),
  },
  {
    usage: "sign-in-secrets set PROVIDER",
    about: "keep the secret of a sign-in provider, from standard input (docs/sign-in.md)",
    run: (context) => putSecret(context, "sign-in-secrets", "PROVIDER"),
  },
  {
    usage: "sign-in-secrets remove PROVIDER",
    about: "forget it",
    run: (context) => removeNamed(context, "sign-in-secrets", "PROVIDER"),
  },
];

async function addToken(context: Context): Promise<number> {
  const { values, positionals } = context;
  const client = context.client();
  const [named] = argumentsOf(context, ...(positionals.length > 0 ? ["NAME"] : []));
  refuseBoth(values, "admin", "no-admin");
  const scopes = scopesIn(values);
  const expires = textOf(values, "expires");
  const expires_seconds = expires === undefined ? undefined : lifeOf(expires);
  const isAdmin = values["admin"] === true ? true : values["no-admin"] === true ? false : undefined;
  const subject = named ?? (await client.json<Me>("GET", "/me")).name;
  return show(
    context,
    await client.json<AddedToken>("POST", "/tokens", {
      subject,
      description: textOf(values, "description") ?? "",
      ...(isAdmin === undefined ? {} : { admin: isAdmin }),
      ...(scopes ? { scopes } : {}),
      ...(expires_seconds === undefined ? {} : { expires_seconds }),
    }),
  );
}

function show({ terminal }: Context, { id, token, expires }: AddedToken): number {
  terminal.out(token);
  const until = expires === undefined ? "" : ` and it is good until ${minutes(expires, "")} UTC`;
  terminal.say(`This is the only time the token is shown. Its id is ${id}${until}.`);
  return 0;
}

async function setPassword(context: Context): Promise<number> {
  const [name = ""] = argumentsOf(context, "NAME");
  const { values, terminal } = context;
  refuseBoth(values, "link", "stdin");
  refuseBoth(values, "link", "must-change");
  const client = context.client();
  const where = `/users/${at(name)}`;
  if (values["link"] === true) {
    const link = await client.json<{ url: string; expires: string }>(
      "POST",
      `${where}/password-links`,
    );
    terminal.out(new URL(link.url, client.url).href);
    terminal.say(`Give it to ${name}: it works once, until ${minutes(link.expires, "")} UTC.`);
    return 0;
  }
  const isOwn = (await client.json<Me>("GET", "/me")).name === name;
  const asks = values["stdin"] === true ? undefined : terminal.askHidden;
  const current =
    isOwn && asks ? await asks("Current password (empty if none): ", context.signal) : "";
  const password = await secretFrom(context, asks, "New password: ");
  if (asks && (await asks("The same again: ", context.signal)) !== password) {
    throw new UsageError("the two passwords are not the same");
  }
  const must_change = values["must-change"] === true;
  const given = current === "" ? {} : { current };
  await client.json("PUT", `${where}/password`, { password, must_change, ...given });
  terminal.say(`The password of ${name} is set`);
  return 0;
}

async function putSecret(context: Context, collection: string, argument: string): Promise<number> {
  const [name = ""] = argumentsOf(context, argument);
  const value = await secretFrom(context, context.terminal.askHidden, "Value: ");
  await context.client().json("PUT", `/${collection}/${at(name)}`, { value });
  context.terminal.say(`${name} is set`);
  return 0;
}

/** Asked for without an echo, or all of standard input but its last line break. */
async function secretFrom(
  { terminal, signal }: Context,
  asks: Context["terminal"]["askHidden"],
  question: string,
): Promise<string> {
  const text = asks ? await asks(question, signal) : await terminal.input?.();
  const value = (text ?? "").replace(/\r?\n$/, "");
  if (value === "") throw new UsageError("there is nothing on standard input");
  return value;
}

/** How long a token is good. The control plane would name the field of its own interface, not the option. */
function lifeOf(text: string): number {
  const seconds = secondsOf("expires", text);
  if (seconds >= 60 && seconds <= LONGEST_TOKEN_SECONDS) return seconds;
  throw new UsageError(`--expires ${text}: expected a time from 1m to ten years, such as 30d`);
}

const UNITS: Record<string, number> = { s: 1, m: 60, h: 3600, d: 86_400 };

function secondsOf(option: string, text: string): number {
  const [, count, unit = ""] = /^(\d{1,6})([smhd]?)$/.exec(text) ?? [];
  const seconds = Number(count) * (UNITS[unit] ?? Number.NaN);
  if (text === "0") return 0;
  if (seconds >= 0) return seconds;
  throw new UsageError(`--${option}: expected a time such as 30m, 12h or 30d, not ${text}`);
}
