import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import Provider, { type ClientMetadata, type Configuration, type JWK } from "oidc-provider";

export interface TestProvider {
  readonly issuer: string;
  readonly clientId: string;
  readonly secret: string;
  /** What it says of each account, by subject. */
  readonly accounts: Map<string, Record<string, unknown>>;
  close(): Promise<void>;
}

/**
 * A real OpenID provider on loopback with one client, whose sign-in form takes any password. `tamper` may change what its token
 * endpoint answers.
 */
export async function oidcProvider(
  redirectUri: string,
  {
    jwks,
    client = {},
    tamper,
  }: {
    jwks?: { keys: JWK[] };
    client?: Partial<ClientMetadata>;
    tamper?: (answer: Record<string, unknown>) => void | Promise<void>;
  } = {},
): Promise<TestProvider> {
  const accounts = new Map<string, Record<string, unknown>>();
  const [clientId, secret] = ["pumice", "a secret of this client, long enough"];
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const provider = quietly(issuer, {
    clients: [
      {
        client_id: clientId,
        client_secret: secret,
        redirect_uris: [redirectUri],
        post_logout_redirect_uris: [new URL("/sign-in", redirectUri).href],
        ...client,
      },
    ],
    ...(jwks ? { jwks } : {}),
    claims: {
      openid: ["sub"],
      profile: ["preferred_username", "name", "nested"],
      email: ["email", "email_verified"],
      groups: ["groups"],
    },
    scopes: ["openid", "profile", "email", "groups"],
    cookies: { keys: ["a key of a test"] },
    findAccount: (_: unknown, sub: string) => ({
      accountId: sub,
      claims: () => ({ sub, ...accounts.get(sub) }),
    }),
    features: { devInteractions: { enabled: true } },
    ttl: {
      AccessToken: 600,
      AuthorizationCode: 60,
      IdToken: 600,
      Interaction: 600,
      Session: 600,
      Grant: 600,
    },
  });
  if (tamper) {
    provider.use(async (context, next) => {
      await next();
      if (context.path === "/token" && typeof context.body === "object") {
        await tamper(context.body as Record<string, unknown>);
      }
    });
  }
  server.on("request", provider.callback());
  return { issuer, clientId, secret, accounts, close: () => closed(server) };
}

/** It warns of what a test wants just so. */
function quietly(issuer: string, configuration: Configuration): Provider {
  const { warn } = console;
  console.warn = () => {};
  try {
    return new Provider(issuer, configuration);
  } finally {
    console.warn = warn;
  }
}

async function closed(server: Server): Promise<void> {
  const gone = once(server, "close");
  server.close();
  server.closeAllConnections();
  await gone;
}

export interface Visitor {
  /** Follows no redirect; keeps cookies by origin. */
  get(url: string): Promise<Response>;
  post(url: string, form: Record<string, string>): Promise<Response>;
  /** Goes to where the provider asks who one is, answers, consents, and comes back to the address that is not its own. */
  signInAt(provider: TestProvider, url: string, subject: string): Promise<string>;
}

/** A browser without scripts that keeps the cookies of each origin. `fetchFrom` answers for what is not on the network. */
export function visitor(fetchFrom: (url: string, init: RequestInit) => Promise<Response>): Visitor {
  const jars = new Map<string, Map<string, string>>();
  const send = async (url: string, init: RequestInit): Promise<Response> => {
    const { origin } = new URL(url);
    const jar = jars.get(origin) ?? new Map<string, string>();
    jars.set(origin, jar);
    const cookie = [...jar].map(([name, value]) => `${name}=${value}`).join("; ");
    const headers = { accept: "text/html", cookie, ...(init.headers as Record<string, string>) };
    const answer = await fetchFrom(url, { ...init, headers, redirect: "manual" });
    for (const line of answer.headers.getSetCookie()) {
      const [, name = "", value = ""] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
      if (value === "" || /max-age=0|expires=thu, 01 jan 1970/i.test(line)) jar.delete(name);
      else jar.set(name, value);
    }
    return answer;
  };
  const get = (url: string) => send(url, { method: "GET" });
  const post = (url: string, form: Record<string, string>) =>
    send(url, {
      method: "POST",
      headers: {
        "content-type": "application/x-www-form-urlencoded",
        "sec-fetch-site": "same-origin",
      },
      body: new URLSearchParams(form).toString(),
    });
  return {
    get,
    post,
    async signInAt({ issuer }, url, subject) {
      let at = url;
      for (let step = 0; step < 12; step++) {
        if (!at.startsWith(issuer)) return at;
        let answer = await get(at);
        if (answer.status === 200) {
          const page = await answer.text();
          const prompt = /name="prompt" value="(\w+)"/.exec(page)?.[1] ?? "";
          const action = /<form[^>]* action="([^"]+)"/.exec(page)?.[1] ?? at;
          answer = await post(new URL(action, at).href, {
            prompt,
            login: subject,
            password: "any",
          });
        }
        const location = answer.headers.get("location");
        if (location === null) throw new Error(`${at}: ${answer.status} ${await answer.text()}`);
        at = new URL(location, at).href;
      }
      throw new Error("the provider sends from page to page");
    },
  };
}
