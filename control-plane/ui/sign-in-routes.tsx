import { Hono, type Context } from "hono";
import { AppError } from "../domain/app-error.ts";
import type { Deps } from "../domain/deps.ts";
import { redeemSignIn, signInWithToken } from "../domain/sign-in.ts";
import { fromOf } from "../http/client-address.ts";
import { requireOwnPage } from "../http/principal-of.ts";
import { readText } from "../http/read-body.ts";
import { endSession, giveSession, SIGN_IN_PATH } from "../http/session.ts";
import { loadAssets } from "./assets.ts";
import { SignInPage } from "./sign-in-page.tsx";

const MAX_FORM_BYTES = 4096;

/**
 * `/sign-in` (form fields `code` of a one-time link, or `token`, and `next`) and `/sign-out`: the only pages for
 * whom we don't know yet.
 */
export function signInRoutes(deps: Deps) {
  const app = new Hono();
  app.get(SIGN_IN_PATH, async (c) => {
    const { code, next } = c.req.query();
    return c.html(<SignInPage view={await viewOf(deps)} code={code} next={ownPath(next)} />);
  });
  app.post(SIGN_IN_PATH, async (c) => {
    requireOwnPage(c.req.raw);
    const form = new URLSearchParams(await readText(c.req.raw, MAX_FORM_BYTES));
    const next = ownPath(form.get("next"));
    const code = form.get("code");
    try {
      const session = await (code === null
        ? signInWithToken(deps, (form.get("token") ?? "").trim(), fromOf(c))
        : redeemSignIn(deps, code, fromOf(c)));
      giveSession(c, session);
      return c.redirect(next, 303);
    } catch (error) {
      return refused(deps, c, error, next);
    }
  });
  app.post("/sign-out", async (c) => {
    await endSession(deps, c);
    return c.redirect(SIGN_IN_PATH, 303);
  });
  return app;
}

async function refused(deps: Deps, c: Context, error: unknown, next: string): Promise<Response> {
  if (!(error instanceof AppError) || error.code !== "unauthenticated") throw error;
  const message = `${error.message[0]?.toUpperCase()}${error.message.slice(1)}`;
  return c.html(<SignInPage view={await viewOf(deps)} next={next} message={message} />, 401);
}

/** The path when it is one of ours; `invalid` when it leads elsewhere, as `//host` and `/\host` do. */
function ownPath(path: string | null | undefined): string {
  if (!path) return "/";
  if (/^\/(?![/\\])[\x21-\x7e]*$/.test(path)) return path;
  throw new AppError("invalid", "next: expected a path of this lab");
}

const viewOf = async (deps: Deps) => ({ assets: await loadAssets(), now: deps.system.now() });
