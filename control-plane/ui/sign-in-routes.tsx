import { Hono, type Context } from "hono";
import * as v from "valibot";
import { passwordSchema } from "#protocol/sign-in.ts";
import { AppError } from "../domain/app-error.ts";
import { setPasswordByLink } from "../domain/credentials.ts";
import type { Deps } from "../domain/deps.ts";
import { labSettings } from "../domain/lab-settings.ts";
import {
  redeemSignIn,
  signInWithPassword,
  signInWithToken,
  startSession,
  type Session,
} from "../domain/sign-in.ts";
import { findUser } from "../domain/users.ts";
import { fromOf } from "../http/client-address.ts";
import { PASSWORD_PATH } from "../http/people-secrets.ts";
import { requireOwnPage } from "../http/principal-of.ts";
import { readText } from "../http/read-body.ts";
import { endSession, giveSession, SIGN_IN_PATH } from "../http/session.ts";
import { askDirectories } from "../identity/ask-directories.ts";
import { oidcRoutes } from "./oidc-routes.ts";
import { ownPath } from "./own-path.ts";
import { PasswordPage } from "./password-page.tsx";
import { SignInPage } from "./sign-in-page.tsx";
import { makeView } from "./view.ts";

const MAX_FORM_BYTES = 4096;

/**
 * `/sign-in` (form fields `code` of a one-time link, or `name` and `password`, or `token`, and `next`), `/sign-in/oidc/...`,
 * `/password` (by a link) and `/sign-out`: the only pages for whom we don't know yet.
 */
export function signInRoutes(deps: Deps) {
  const app = new Hono();
  app.get(SIGN_IN_PATH, async (c) => {
    const { code, next, left } = c.req.query();
    const page = await pageOf(deps, c);
    const from = page.providers.find(({ name }) => name === left);
    return c.html(<SignInPage {...page} code={code} next={ownPath(next)} left={from} />);
  });
  app.post(SIGN_IN_PATH, async (c) => {
    requireOwnPage(c.req.raw);
    const form = new URLSearchParams(await readText(c.req.raw, MAX_FORM_BYTES));
    const next = ownPath(form.get("next"));
    try {
      const session = await signIn(deps, c, form);
      if ("mustChange" in session) {
        return c.redirect(`${PASSWORD_PATH}?code=${session.mustChange}`, 303);
      }
      giveSession(c, session);
      return c.redirect(next, 303);
    } catch (error) {
      return await refused(deps, c, error, next);
    }
  });
  app.route(
    SIGN_IN_PATH,
    oidcRoutes(deps, (c, error) => refused(deps, c, error, "/")),
  );
  passwordPages(app, deps);
  app.post("/sign-out", async (c) => {
    const provider = await endSession(deps, c);
    const query = provider === undefined ? "" : `?left=${provider}`;
    return c.redirect(`${SIGN_IN_PATH}${query}`, 303);
  });
  return app;
}

function signIn(
  deps: Deps,
  c: Context,
  form: URLSearchParams,
): Promise<Session | { mustChange: string }> {
  const from = fromOf(c);
  const code = form.get("code");
  if (code !== null) return redeemSignIn(deps, code, from);
  const name = form.get("name");
  if (name === null) return signInWithToken(deps, (form.get("token") ?? "").trim(), from);
  const typed = { name: name.trim(), password: form.get("password") ?? "" };
  return signInWithPassword(deps, typed, from, askDirectories(deps));
}

/** Where a password is chosen by a link. */
function passwordPages(app: Hono, deps: Deps): void {
  app.get(PASSWORD_PATH, async (c) =>
    c.html(<PasswordPage view={await makeView(deps, c)} code={c.req.query("code") ?? ""} />),
  );
  app.post(PASSWORD_PATH, async (c) => {
    requireOwnPage(c.req.raw);
    const form = new URLSearchParams(await readText(c.req.raw, MAX_FORM_BYTES));
    const code = form.get("code") ?? "";
    try {
      const { name } = await setPasswordByLink(deps, code, newPasswordIn(form));
      const user = (await findUser(deps, name))?.data;
      if (!user?.active) throw new AppError("unauthenticated", "this person may not sign in now");
      const who = { subject: name, admin: user.admin, how: "password link" };
      giveSession(c, await startSession(deps, who, fromOf(c)));
      return c.redirect("/", 303);
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      const status = error.code === "unauthenticated" ? 401 : 400;
      const page = { view: await makeView(deps, c), code, message: sentence(error.message) };
      return c.html(<PasswordPage {...page} />, status);
    }
  });
}

/** Of the two fields of a form. Throws `invalid`. */
export function newPasswordIn(form: URLSearchParams): string {
  const password = form.get("password") ?? "";
  if (password !== form.get("again")) {
    throw new AppError("invalid", "the two passwords are not the same");
  }
  const parsed = v.safeParse(passwordSchema, password);
  if (!parsed.success) throw new AppError("invalid", parsed.issues[0].message);
  return password;
}

/** What is shown on the page; everything else is an error like any other. */
const SHOWN = { unauthenticated: 401, conflict: 409, throttled: 429, unavailable: 503 } as const;

async function refused(deps: Deps, c: Context, error: unknown, next: string): Promise<Response> {
  if (!(error instanceof AppError) || !Object.hasOwn(SHOWN, error.code)) throw error;
  const { code, message, context, retryAfterSeconds } = error;
  if (context) deps.system.log(message, { path: c.req.path, ...context });
  if (retryAfterSeconds !== undefined) c.header("retry-after", String(retryAfterSeconds));
  const page = { ...(await pageOf(deps, c)), next, message: sentence(message) };
  return c.html(<SignInPage {...page} />, SHOWN[code as keyof typeof SHOWN]);
}

const sentence = (text: string): string => `${text[0]?.toUpperCase()}${text.slice(1)}`;

async function pageOf(deps: Deps, c: Context) {
  const { passwords, oidc, ldap } = (await labSettings(deps)).sign_in;
  const providers = oidc.map(({ name, label = name }) => ({ name, label }));
  return { view: await makeView(deps, c), providers, takesPasswords: passwords || ldap.length > 0 };
}
