import type { Context, Hono } from "hono";
import { addTokenSchema } from "#protocol/tokens.ts";
import { putSecretSchema } from "#protocol/sign-in.ts";
import { AppError } from "../domain/app-error.ts";
import { hasPassword, requireWhole, setPassword } from "../domain/credentials.ts";
import type { Deps } from "../domain/deps.ts";
import type { IdentityRecord } from "../domain/identity-record.ts";
import { labSettings } from "../domain/lab-settings.ts";
import { addToken } from "../domain/make-token.ts";
import { requireUser, type User } from "../domain/principal.ts";
import { queryAll } from "../domain/query-all.ts";
import { listSecrets, putSecret, removeSecret } from "../domain/secrets.ts";
import { signOutEverywhere } from "../domain/sessions.ts";
import { listOwnTokens, revokeToken } from "../domain/tokens.ts";
import { clientAddress } from "../http/client-address.ts";
import { parse, readText } from "../http/read-body.ts";
import type { Env } from "../http/route.ts";
import { SIGN_IN_PATH } from "../http/session.ts";
import type { AccountProps } from "./account-page.tsx";
import { beginFlow } from "./oidc-routes.ts";
import { newPasswordIn } from "./sign-in-routes.tsx";
import { tokenRequest } from "./token-form.tsx";
import { makeView } from "./view.ts";

const MAX_FORM_BYTES = 32 * 1024;
type Shown = Pick<AccountProps, "made" | "goOn" | "message">;

/** `/account` and what its forms do. The principal is known, and that the form is one of our own pages. */
export function accountPages(app: Hono<Env>, deps: Deps): void {
  const show = async (c: Context<Env>, shown: Shown, status: 200 | 400 | 403 | 429 = 200) => {
    const { AccountPage } = await import("./account-page.tsx");
    return c.html(
      <AccountPage {...await accountOf(deps, c, requireUser(c.var.principal))} {...shown} />,
      status,
    );
  };
  app.get("/account", (c) => show(c, {}));

  const form = (
    path: string,
    act: (c: Context<Env>, user: User, fields: URLSearchParams) => Promise<Shown | string>,
  ): void =>
    void app.post(path, async (c) => {
      const user = requireUser(c.var.principal);
      try {
        const fields = new URLSearchParams(await readText(c.req.raw, MAX_FORM_BYTES));
        const done = await act(c, user, fields);
        return typeof done === "string" ? c.redirect(done, 303) : await show(c, done);
      } catch (error) {
        const status = error instanceof AppError ? REFUSED[error.code] : undefined;
        if (status === undefined) throw error;
        const { message, retryAfterSeconds } = error as AppError;
        if (retryAfterSeconds !== undefined) c.header("retry-after", String(retryAfterSeconds));
        return await show(c, { message: { text: message, isBad: true } }, status);
      }
    });

  form("/account/tokens", async (_, user, fields) => {
    const request = tokenRequest(fields, user.name);
    const { token } = await addToken(deps, user, parse(addTokenSchema, request, "token"));
    return { made: token };
  });
  form("/account/tokens/revoke", async (_, user, fields) => {
    await revokeToken(deps, user, fields.get("id") ?? "");
    return "/account";
  });
  form("/account/unlink", async (_, user, fields) => {
    const { unlinkAccount } = await accounts();
    await unlinkAccount(deps, user, user.name, fields.get("id") ?? "");
    return "/account";
  });
  form("/account/sign-out", async (_, user) => {
    await signOutEverywhere(deps, user, user.name, { tokens: false });
    return SIGN_IN_PATH;
  });
  form("/account/secrets", async (_, user, fields) => {
    const secret = parse(putSecretSchema, { value: fields.get("value") ?? "" }, "secret");
    await putSecret(deps, user, fields.get("name") ?? "", secret);
    return "/account";
  });
  form("/account/secrets/remove", async (_, user, fields) => {
    await removeSecret(deps, user, fields.get("name") ?? "");
    return "/account";
  });
  form("/account/password", async (c, user, fields) => {
    const current = fields.get("current") ?? undefined;
    const request = { password: newPasswordIn(fields), must_change: false };
    const given = current === undefined ? request : { ...request, current };
    await setPassword(deps, user, user.name, given, clientAddress(c));
    return { message: { text: "The password is set.", isBad: false } };
  });
  // A form may not lead to another site, and an address that anybody can link to must not begin this: so in two steps.
  form("/account/link/:provider", async (c, user) => {
    await requireWhole(deps, user);
    const url = await beginFlow(deps, c, { next: "/account", link: user.name });
    const { oidc } = (await labSettings(deps)).sign_in;
    const provider = oidc.find(({ name }) => name === c.req.param("provider"));
    return { goOn: { label: provider?.label ?? provider?.name ?? "", url } };
  });
}

const REFUSED: Partial<Record<AppError["code"], 400 | 403 | 429>> = {
  invalid: 400,
  forbidden: 403,
  throttled: 429,
};

/** Loaded when they are asked for: most requests are others. */
const accounts = () => import("../domain/accounts.ts");

async function accountOf(deps: Deps, c: Context<Env>, user: User): Promise<AccountProps> {
  const { passwords, oidc } = (await labSettings(deps)).sign_in;
  const { listAccounts } = await accounts();
  const { getUser } = await import("../domain/people.ts");
  const linked = new Set<string>();
  const identities = queryAll<IdentityRecord>(deps, "i1", `identities#${user.name}`);
  for await (const { data } of identities) linked.add(data.provider);
  return {
    view: await makeView(deps, c, user),
    tokens: await listOwnTokens(deps, user),
    secrets: (await listSecrets(deps, user)).secrets,
    accounts: (await listAccounts(deps, user, user.name)).accounts,
    user: await getUser(deps, user, user.name),
    providers: oidc.map(({ name, label = name }) => ({ name, label, isLinked: linked.has(name) })),
    password: passwords ? { isSet: await hasPassword(deps, user.name) } : undefined,
    session: user.tokenId,
  };
}
