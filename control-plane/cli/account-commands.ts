import type { AccountView } from "#protocol/sign-in.ts";
import { argumentsOf, JSON_HELP, JSON_OPTION, type Command } from "./command.ts";
import { printList } from "./print-list.ts";
import { printable } from "./printable.ts";

const of = (name: string | undefined): string =>
  `/users/${encodeURIComponent(name ?? "")}/accounts`;

/** Accounts of sign-in providers that sign a person in (docs/sign-in.md). */
export const accountCommands: readonly Command[] = [
  {
    usage: "users accounts NAME",
    about: "list a person's accounts elsewhere, by which they sign in",
    options: JSON_OPTION,
    help: [JSON_HELP],
    run: (context) =>
      printList<AccountView>(
        context,
        of(context.positionals[0]),
        "accounts",
        ["ID", "PROVIDER", "SUBJECT", "LINKED (UTC)"],
        ({ id, provider, subject, created }) => [
          id,
          provider,
          printable(subject),
          created.slice(0, 16).replace("T", " "),
        ],
        ["NAME"],
      ),
  },
  {
    usage: "users link NAME PROVIDER SUBJECT",
    about: "let an account of a provider sign a person in",
    help: [
      "PROVIDER            its name in the settings, sign_in",
      "SUBJECT             who it is there: `sub` of OpenID Connect, the directory's id_attribute; no name, no mail address",
    ],
    run: async (context) => {
      const names = ["NAME", "PROVIDER", "SUBJECT"];
      const [name, provider, subject] = argumentsOf(context, ...names);
      await context.client().json("POST", of(name), { provider, subject });
      context.terminal.say(printable(`${subject} of ${provider} signs ${name} in from now on`));
      return 0;
    },
  },
  {
    usage: "users unlink NAME ID",
    about: "take an account away from a person again; sessions that it began end",
    run: async (context) => {
      const [name, id = ""] = argumentsOf(context, "NAME", "ID");
      await context.client().json("DELETE", `${of(name)}/${encodeURIComponent(id)}`);
      return 0;
    },
  },
];
