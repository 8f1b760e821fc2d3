import type * as Oauth from "oauth4webapi";
import type { OidcProvider } from "#protocol/sign-in.ts";
import { AppError } from "../domain/app-error.ts";
import type { ProviderPerson } from "../domain/provider-person.ts";

/** What a browser has to come back with: only the browser keeps it, sealed. */
export interface OidcFlow {
  readonly state: string;
  readonly nonce: string;
  readonly verifier: string;
}

/** Of one provider, at one moment. */
export interface OidcCall {
  readonly provider: OidcProvider;
  readonly secret: string | undefined;
  readonly redirectUri: string;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

const TIMEOUT_MS = 10_000;
const DISCOVERY_KEPT_MS = 60 * 60 * 1000;
const discovered = new Map<string, { server: Oauth.AuthorizationServer; until: number }>();

/** Where to send a browser (authorization code with PKCE, state and nonce). Throws `unavailable`. */
export async function beginOidc(call: OidcCall): Promise<{ url: string; flow: OidcFlow }> {
  const { provider, redirectUri } = call;
  const oauth = await library();
  const { authorization_endpoint: endpoint } = await serverOf(oauth, call);
  if (endpoint === undefined) throw broken(provider, "it has no authorization endpoint");
  const flow = {
    state: oauth.generateRandomState(),
    nonce: oauth.generateRandomNonce(),
    verifier: oauth.generateRandomCodeVerifier(),
  };
  const url = new URL(endpoint);
  const scope = provider.scopes.split(" ").includes("openid")
    ? provider.scopes
    : `openid ${provider.scopes}`;
  const parameters = {
    response_type: "code",
    client_id: provider.client_id,
    redirect_uri: redirectUri,
    scope,
    state: flow.state,
    nonce: flow.nonce,
    code_challenge: await oauth.calculatePKCECodeChallenge(flow.verifier),
    code_challenge_method: "S256",
  };
  for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value);
  return { url: url.href, flow };
}

/**
 * Who has come back, by the ID token: signature, issuer, audience, times and nonce are checked, and the state before. Throws
 * `unauthenticated`, or `unavailable` when the provider can't be reached.
 */
export async function finishOidc(
  call: OidcCall,
  callback: URL,
  flow: OidcFlow,
): Promise<ProviderPerson> {
  const { provider, redirectUri } = call;
  const oauth = await library();
  const server = await serverOf(oauth, call);
  const client = clientOf(oauth, call);
  const options = optionsOf(oauth, provider);
  return await translating(oauth, provider, async () => {
    const parameters = oauth.validateAuthResponse(server, client, callback, flow.state);
    const answer = await oauth.authorizationCodeGrantRequest(
      server,
      client,
      authenticationOf(oauth, call),
      parameters,
      redirectUri,
      flow.verifier,
      options,
    );
    const expected = { expectedNonce: flow.nonce, requireIdToken: true };
    const tokens = await oauth.processAuthorizationCodeResponse(server, client, answer, expected);
    await oauth.validateApplicationLevelSignature(server, answer, options);
    const claims = oauth.getValidatedIdTokenClaims(tokens);
    if (!claims) throw new Error("there is no ID token");
    let said: Record<string, unknown> = claims;
    const { name_claim: name, groups_claim: groups } = provider;
    const isAllThere = [name, groups, "email"].every(
      (one) => !one || claimAt(claims, one) !== undefined,
    );
    if (!isAllThere && server.userinfo_endpoint !== undefined) {
      const { access_token: token } = tokens;
      const info = await oauth.userInfoRequest(server, client, token, options);
      said = {
        ...(await oauth.processUserInfoResponse(server, client, claims.sub, info)),
        ...claims,
      };
    }
    return personOf(provider, claims, said);
  });
}

/** Where a browser is signed out of the provider, too; undefined when that has no such place. */
export async function endOidc(call: OidcCall, next: string): Promise<string | undefined> {
  const { end_session_endpoint: endpoint } = await serverOf(await library(), call);
  if (endpoint === undefined) return undefined;
  const url = new URL(endpoint);
  url.searchParams.set("client_id", call.provider.client_id);
  url.searchParams.set("post_logout_redirect_uri", next);
  return url.href;
}

/** Only who signs in this way needs the code. */
const library = (): Promise<typeof Oauth> => import("oauth4webapi");

async function serverOf(
  oauth: typeof Oauth,
  { provider, now }: OidcCall,
): Promise<Oauth.AuthorizationServer> {
  const known = discovered.get(provider.issuer);
  if (known && known.until > now()) return known.server;
  const issuer = new URL(provider.issuer);
  const server = await translating(oauth, provider, async () =>
    oauth.processDiscoveryResponse(
      issuer,
      await oauth.discoveryRequest(issuer, optionsOf(oauth, provider)),
    ),
  );
  discovered.set(provider.issuer, { server, until: now() + DISCOVERY_KEPT_MS });
  return server;
}

function clientOf(oauth: typeof Oauth, { provider, now }: OidcCall): Oauth.Client {
  return {
    client_id: provider.client_id,
    [oauth.clockTolerance]: provider.clock_tolerance_seconds,
    [oauth.clockSkew]: Math.round((now() - Date.now()) / 1000),
  };
}

function authenticationOf(oauth: typeof Oauth, { provider, secret }: OidcCall): Oauth.ClientAuth {
  if (provider.client_authentication === "none") return oauth.None();
  if (secret === undefined)
    throw broken(provider, "this lab has no secret of it (docs/sign-in.md)");
  return provider.client_authentication === "post"
    ? oauth.ClientSecretPost(secret)
    : oauth.ClientSecretBasic(secret);
}

/** The settings allow http:// on this machine only. */
const optionsOf = (oauth: typeof Oauth, { issuer }: OidcProvider) => ({
  signal: () => AbortSignal.timeout(TIMEOUT_MS),
  [oauth.allowInsecureRequests]: issuer.startsWith("http:"),
});

function personOf(
  provider: OidcProvider,
  { iss: issuer, sub: subject }: Oauth.IDToken,
  said: Record<string, unknown>,
): ProviderPerson {
  const name = claimAt(said, provider.name_claim);
  if (typeof name !== "string") {
    throw refused(`${provider.name} does not tell your name (claim ${provider.name_claim})`);
  }
  const groups = provider.groups_claim === undefined ? [] : claimAt(said, provider.groups_claim);
  const { email, email_verified: isVerified, name: fullName } = said;
  return {
    issuer,
    subject,
    name,
    email: isVerified === true && typeof email === "string" ? email : undefined,
    full_name: typeof fullName === "string" ? fullName : undefined,
    groups: (Array.isArray(groups) ? groups : [groups]).filter((one) => typeof one === "string"),
  };
}

/** A claim by its name, or by a path of dots: `realm_access.roles`. */
function claimAt(claims: Record<string, unknown>, name: string): unknown {
  if (Object.hasOwn(claims, name)) return claims[name];
  let value: unknown = claims;
  for (const part of name.split(".")) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, part))
      return undefined;
    value = (value as Record<string, unknown>)[part];
  }
  return value;
}

/** What the library throws, in our words; what it knows of the reason is for the operator. */
async function translating<T>(
  oauth: typeof Oauth,
  provider: OidcProvider,
  run: () => Promise<T>,
): Promise<T> {
  try {
    return await run();
  } catch (error) {
    if (error instanceof AppError) throw error;
    const context = { provider: provider.name, reason: reasonOf(error) };
    if (error instanceof oauth.AuthorizationResponseError) {
      throw refused(`${provider.name} says: ${plain(error.error)}`, context);
    }
    const isTheirs =
      error instanceof oauth.OperationProcessingError || error instanceof oauth.ResponseBodyError;
    if (isTheirs || error instanceof oauth.UnsupportedOperationError) {
      throw refused(`what ${provider.name} answered is not valid; sign in again`, context);
    }
    throw new AppError("unavailable", `${provider.name} can't be reached now; try again`, {
      context,
      cause: error,
    });
  }
}

const reasonOf = (error: unknown): string => {
  const { message, code } = error as { message?: string; code?: string };
  return `${code ?? ""} ${message ?? String(error)}`.trim().slice(0, 300);
};

const plain = (text: string): string => text.replace(/[^\w .,-]/g, " ").slice(0, 100);

const refused = (message: string, context?: Record<string, unknown>) =>
  new AppError("unauthenticated", message, context ? { context } : {});

const broken = ({ name }: OidcProvider, why: string) =>
  new AppError("unavailable", `signing in with ${name} is not set up: ${why}`);
