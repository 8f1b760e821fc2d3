import { Hono, type Context } from "hono";
import { deleteCookie, getCookie, setCookie } from "hono/cookie";
import type { OidcProvider } from "#protocol/sign-in.ts";
import { AppError } from "../domain/app-error.ts";
import type { Deps } from "../domain/deps.ts";
import { labSettings } from "../domain/lab-settings.ts";
import { admitPerson, linkPerson } from "../domain/provider-person.ts";
import { startSession } from "../domain/sign-in.ts";
import { signInSecret } from "../domain/sign-in-secrets.ts";
import { fromOf } from "../http/client-address.ts";
import { principalOf } from "../http/principal-of.ts";
import { giveSession, isHttps, ownUrl, SIGN_IN_PATH } from "../http/session.ts";
import { beginOidc, endOidc, finishOidc, type OidcCall, type OidcFlow } from "../identity/oidc.ts";
import { ownPath } from "./own-path.ts";

const FLOW_COOKIE = "pumice_oidc";
const FLOW_PATH = `${SIGN_IN_PATH}/oidc`;
const FLOW_SECONDS = 10 * 60;

interface Flow extends OidcFlow {
  provider: string;
  next: string;
  until: number;
  /** The user whom the account is to be linked with. */
  link?: string;
}

/** `/sign-in/oidc/PROVIDER`, its `/callback` and `/sign-out`; `refused` shows why somebody could not come in. */
export function oidcRoutes(
  deps: Deps,
  refused: (c: Context, error: unknown) => Promise<Response>,
): Hono {
  const app = new Hono();
  app.get("/oidc/:provider", async (c) => {
    try {
      return c.redirect(await beginFlow(deps, c, { next: ownPath(c.req.query("next")) }), 302);
    } catch (error) {
      return await refused(c, error);
    }
  });
  app.get("/oidc/:provider/callback", async (c) => {
    try {
      return c.redirect(await endFlow(deps, c), 303);
    } catch (error) {
      return await refused(c, error);
    }
  });
  app.get("/oidc/:provider/sign-out", async (c) => {
    const call = await callOf(deps, c);
    const there = await endOidc(call, new URL(SIGN_IN_PATH, call.redirectUri).href);
    return c.redirect(there ?? SIGN_IN_PATH, 303);
  });
  return app;
}

/** Leaves the browser what it has to come back with. @returns the provider's address. */
export async function beginFlow(
  deps: Deps,
  c: Context,
  { next, link }: { next: string; link?: string },
): Promise<string> {
  const call = await callOf(deps, c);
  const { url, flow } = await beginOidc(call);
  const until = deps.system.now() + FLOW_SECONDS * 1000;
  const kept: Flow = {
    ...flow,
    ...{ provider: call.provider.name, next, until },
    ...(link === undefined ? {} : { link }),
  };
  const sealed = deps.system.seal(deps.settings.secret, FLOW_COOKIE, JSON.stringify(kept));
  // Lax: the browser comes back from another site.
  setCookie(c, FLOW_COOKIE, sealed, {
    ...{ httpOnly: true, sameSite: "Lax", path: FLOW_PATH, maxAge: FLOW_SECONDS },
    secure: isHttps(c.req.raw),
  });
  return url;
}

/** @returns where to go next. */
async function endFlow(deps: Deps, c: Context): Promise<string> {
  const call = await callOf(deps, c);
  const { provider } = call;
  const flow = flowOf(deps, c);
  deleteCookie(c, FLOW_COOKIE, { path: FLOW_PATH });
  if (flow?.provider !== provider.name || flow.until <= deps.system.now()) {
    throw new AppError(
      "unauthenticated",
      "this took too long, or began in another browser; sign in again",
    );
  }
  const callback = new URL(call.redirectUri);
  callback.search = new URL(c.req.url).search;
  const person = await finishOidc(call, callback, flow);
  if (flow.link !== undefined) {
    // Whoever began it must still be the one who is signed in.
    const now = await principalOf(deps, c.req.raw);
    if (now.kind !== "session" || now.name !== flow.link) {
      throw new AppError("unauthenticated", "sign in again, then link the account");
    }
    await linkPerson(deps, provider, person, flow.link);
    return flow.next;
  }
  const user = await admitPerson(deps, provider, person);
  const who = { subject: user.name, admin: user.admin, how: `account of ${provider.name}` };
  giveSession(c, await startSession(deps, { ...who, provider: provider.name }, fromOf(c)));
  return flow.next;
}

function flowOf({ system, settings }: Deps, c: Context): Flow | undefined {
  const sealed = getCookie(c, FLOW_COOKIE);
  const text = sealed && system.unseal(settings.secret, FLOW_COOKIE, sealed);
  return text ? (JSON.parse(text) as Flow) : undefined;
}

async function callOf(deps: Deps, c: Context): Promise<OidcCall> {
  const { oidc } = (await labSettings(deps)).sign_in;
  const name = c.req.param("provider");
  const provider: OidcProvider | undefined = oidc.find((one) => one.name === name);
  if (!provider) {
    throw new AppError("not_found", `there is no sign-in provider ${JSON.stringify(name)}`);
  }
  const here = ownUrl(c, `${FLOW_PATH}/${provider.name}/callback`);
  const secret = await signInSecret(deps, provider.name);
  return { provider, secret, redirectUri: here.href, now: () => deps.system.now() };
}
