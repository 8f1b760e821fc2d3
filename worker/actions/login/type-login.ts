import type { BootBlock } from "#protocol/job-actions.ts";
import type { Console } from "../../console/console.ts";
import { expectPrompt, PromptWait, type PromptMatch } from "../../console/prompt.ts";
import { literalRegex, pythonRegex } from "../../console/python-regex.ts";
import { typeLine } from "../../console/type-line.ts";
import type { RunContext } from "../../pipeline/action.ts";
import { JobFailure } from "../../pipeline/job-failure.ts";
import { promptPatterns } from "./prompt-patterns.ts";

/** What a DUT says to a wrong name or password. */
export const INCORRECT = literalRegex("Login incorrect");
const TIMED_OUT = literalRegex("Login timed out");

/** A password is not echoed, so nobody knows whether it arrived until the DUT refuses it. */
const MAX_LOGINS = 3;
/** After a refusal the DUT asks for the name again, at once. */
const ASKED_AGAIN_SECONDS = 2;

type AutoLogin = NonNullable<BootBlock["auto_login"]>;

/**
 * Types name and password, at what asks for the name (DISPATCHER.md 8, steps 3 to 5). Done when a prompt shows. A login that the
 * DUT refuses is tried again: what was typed may have been damaged on the line.
 *
 * @throws JobFailure Job for a login that is refused each time, or that timed out.
 */
export async function typeLogin(
  context: RunContext,
  console: Console,
  login: AutoLogin,
  prompts: readonly string[],
): Promise<void> {
  const { log } = context;
  // The same words greet who has logged in: `Last login: ...`.
  const { source, flags } = pythonRegex(login.login_prompt);
  const name = new RegExp(`(?<![Ll]ast )(?:${source})`, flags);
  for (let typed = 1; ; typed++) {
    const refused = await typeOnce(context, console, login, prompts, name);
    if (!refused) return;
    const evidence = { pattern: refused.match[0], line: refused.logLine };
    if (refused.name === "timedOut") throw new JobFailure("Job", "Login timed out", { evidence });
    const isAsked = refused.name === "login" || (await askedAgain(context, console, name));
    if (typed === MAX_LOGINS || !isAsked) {
      throw new JobFailure("Job", "Login incorrect", { evidence });
    }
    log.warning("the login was refused: trying again, in case what was typed arrived damaged");
  }
}

/** Types name and password once; what the DUT refuses them with, undefined when it shows a prompt. */
async function typeOnce(
  { signal, log, timeoutSeconds }: RunContext,
  console: Console,
  login: AutoLogin,
  prompts: readonly string[],
  name: RegExp,
): Promise<PromptMatch | undefined> {
  const shell = promptPatterns(prompts);
  // In the midst of what greets a user it is about earlier logins: `Last failed login: ...`.
  const wait = { timeoutSeconds, signal, log, nudges: true, onlyAtEnd: "login" };
  // As LAVA: whatever matched before, the name is typed now.
  const before = [name, ...Object.values(shell)];
  await typeLine(console, login.username, { discard: "ctrl-u", log, signal, prompts: before });
  const asked = { ...shell, login: name };
  if (login.password_prompt !== undefined) {
    const wanted = { ...asked, password: pythonRegex(login.password_prompt) };
    const found = await expectPrompt(console, wanted, { ...wait, others: { timedOut: TIMED_OUT } });
    if (found.name !== "password") return refusal(found);
    await typePassword(console, login.password ?? "", signal);
  }
  const others = { incorrect: INCORRECT, timedOut: TIMED_OUT };
  return refusal(await expectPrompt(console, asked, { ...wait, others }));
}

const refusal = (found: PromptMatch): PromptMatch | undefined =>
  found.name.startsWith("prompt") ? undefined : found;

/** How long a login takes to end the line of a password. */
const ANSWER_SECONDS = 3;

/** Its echo says nothing; that its line end was lost shows when nothing comes at all. */
async function typePassword(
  console: Console,
  password: string,
  signal: AbortSignal,
): Promise<void> {
  const since = console.received;
  await console.sendLine(password);
  const wait = { timeoutSeconds: ANSWER_SECONDS, signal, quiet: { ms: 0, since } };
  await console.tryExpect({}, wait);
  if (console.received === since) await console.endLine();
}

async function askedAgain(
  { signal, log, timeoutSeconds }: RunContext,
  console: Console,
  name: RegExp,
): Promise<boolean> {
  const seconds = Math.min(timeoutSeconds, ASKED_AGAIN_SECONDS);
  const wait = new PromptWait(console, { login: name }, { signal, log });
  // A DUT that hangs up has refused as well.
  return (await wait.within(seconds).catch(() => undefined)) !== undefined;
}
