import type { Scope } from "#protocol/sign-in.ts";
import type { BeginTerminal, BegunTerminal, RedeemedTerminal } from "#protocol/terminal-sign-in.ts";
import { TableConflict, type Item, type NewItem } from "../ports/table.ts";
import { AppError } from "./app-error.ts";
import { requireWhole } from "./credentials.ts";
import type { Deps } from "./deps.ts";
import { terminalKey } from "./people-keys.ts";
import { addToken, lifeOf } from "./make-token.ts";
import type { User } from "./principal.ts";
import { beginAttempt, endAttempt } from "./sign-in-limits.ts";
import { ownerOf } from "./tokens.ts";

/** A terminal that wants to be signed in. Neither its code nor its secret is in the table. */
export interface TerminalRecord {
  id: string;
  secret_hash: string;
  scopes: readonly Scope[];
  expires_seconds: number;
  /** As it calls itself, and where it is seen from. */
  machine: string;
  address: string;
  created: string;
  expires: string;
  /** Who has said yes, with what they might then. */
  by?: { name: string; admin: boolean };
}

export const TERMINAL_PAGE = "/account/terminal";
const LIFE_MS = 10 * 60 * 1000;
const POLL_SECONDS = 2;
/** No vowels, so that no words come of them, and nothing that looks like a digit. */
const LETTERS = "BCDFGHJKLMNPQRSTVWXZ";
const CODE_LENGTH = 8;

/**
 * Begins to sign a terminal in: a code for whoever sits there, and a secret for itself, both good for ten minutes. Throws `invalid`
 * when tokens of this lab do not live as long as it wants.
 */
export async function beginTerminal(
  deps: Deps,
  { scopes, expires_seconds, machine }: BeginTerminal,
  address: string,
): Promise<BegunTerminal> {
  const { system } = deps;
  await lifeOf(deps, expires_seconds);
  const code = newCode(deps);
  const id = idOf(deps, code);
  const secret = `${id}_${system.randomToken()}`;
  const now = system.now();
  const expires = new Date(now + LIFE_MS).toISOString();
  const record: TerminalRecord = {
    ...{ id, secret_hash: system.hash(secret), scopes, expires_seconds, address, expires },
    machine: machine.replace(/[^\x20-\x7e]/g, "?"),
    created: new Date(now).toISOString(),
  };
  await deps.table.transact([{ put: terminalItem(record), when: "absent" }]);
  return { page: TERMINAL_PAGE, code, secret, expires, poll_seconds: POLL_SECONDS };
}

/** The terminal that a code names, for the person to look at. Tries are counted. Throws `not_found`, `throttled`. */
export async function findTerminal(
  deps: Deps,
  user: User,
  code: string,
  address: string,
): Promise<TerminalRecord> {
  return (await terminalOf(deps, user, code, address)).data;
}

/**
 * Says yes or no to a terminal. Yes gives it a token of the person's, as far as the session they say it in may. Throws
 * `not_found`, `forbidden`, `throttled`.
 */
export async function answerTerminal(
  deps: Deps,
  user: User,
  { code, isYes }: { code: string; isYes: boolean },
  address: string,
): Promise<void> {
  await requireWhole(deps, user);
  if (user.scopes && !user.scopes.includes("admin")) {
    throw new AppError("forbidden", "sign in with more than a token with scopes to do this");
  }
  const { data, version } = await terminalOf(deps, user, code, address);
  const by = { name: user.name, admin: user.admin };
  try {
    await deps.table.transact([
      isYes
        ? { put: terminalItem({ ...data, by }), when: { version } }
        : { delete: terminalKey(data.id), when: { version } },
    ]);
  } catch (error) {
    if (error instanceof TableConflict) throw noSuch();
    throw error;
  }
}

/** Trades the secret for the token, once, when somebody has said yes. Throws `unauthenticated` when it is worth nothing any more. */
export async function redeemTerminal(deps: Deps, secret: string): Promise<RedeemedTerminal> {
  const id = /^([0-9a-f]{32})_/.exec(secret)?.[1];
  const item = id === undefined ? undefined : await deps.table.get<TerminalRecord>(terminalKey(id));
  if (item?.data.secret_hash !== deps.system.hash(secret)) throw notValid();
  const { by, scopes, expires_seconds, machine, address } = item.data;
  if (!by) return { state: "waiting" };
  const { name } = by;
  const owner = await ownerOf(deps, { subject: name, admin: by.admin });
  if (!owner) throw notValid();
  const user: User = { kind: "user", name, admin: owner.admin, groups: owner.groups, tokenId: "" };
  const request = {
    ...{ subject: name, scopes: [...scopes], expires_seconds },
    description: `signed in by browser${machine === "" ? "" : `: ${machine}`}`,
  };
  const used = { delete: item.key, when: { version: item.version } };
  try {
    const made = await addToken(deps, user, request, [used], `by browser, from ${address}`);
    return { state: "done", name, ...made };
  } catch (error) {
    if (error instanceof TableConflict) throw notValid();
    throw error;
  }
}

async function terminalOf(
  deps: Deps,
  user: User,
  typed: string,
  address: string,
): Promise<Item<TerminalRecord>> {
  const attempt = { name: `terminal ${user.name}`, address };
  await beginAttempt(deps, attempt);
  const letters = typed.toUpperCase().replace(/[^A-Z]/g, "");
  const code = letters.length === CODE_LENGTH ? inHalves(letters) : "";
  const item = await deps.table.get<TerminalRecord>(terminalKey(idOf(deps, code)));
  if (!item || item.data.by) throw noSuch();
  await endAttempt(deps, attempt);
  return item;
}

const terminalItem = (data: TerminalRecord): NewItem => ({
  key: terminalKey(data.id),
  data,
  expires: Date.parse(data.expires),
});

function newCode({ system }: Deps): string {
  const digits = system.hash(system.randomToken());
  const letters = Array.from({ length: CODE_LENGTH }, (_, n) => {
    return LETTERS[Number.parseInt(digits.slice(6 * n, 6 * n + 6), 16) % LETTERS.length];
  });
  return inHalves(letters.join(""));
}

const inHalves = (letters: string): string => `${letters.slice(0, 4)}-${letters.slice(4)}`;
/** Under the lab's secret: a code is short enough that its hash alone would tell it to whoever reads the table. */
const idOf = ({ system, settings }: Deps, code: string): string =>
  system.hmac(settings.secret, `terminal ${code}`).slice(0, 32);

const noSuch = () =>
  new AppError(
    "not_found",
    "no terminal shows this code now: it was answered already, is older than ten minutes, or was mistyped",
  );
const notValid = () =>
  new AppError(
    "unauthenticated",
    "nobody has let this terminal in: it was refused, or took longer than ten minutes; begin again with `pumice sign-in --browser`",
  );
