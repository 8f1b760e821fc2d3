import { generateKeyPairSync, sign, type KeyObject } from "node:crypto";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { findUser, newUser, userItem } from "../../control-plane/domain/users.ts";
import { embeddedLab, type EmbeddedLab } from "../support/embedded-lab.ts";
import {
  oidcProvider,
  visitor,
  type TestProvider,
  type Visitor,
} from "../support/oidc-provider.ts";

const LAB = "http://lab.test";
const CALLBACK = `${LAB}/sign-in/oidc/keycloak/callback`;

let lab: EmbeddedLab;
let provider: TestProvider;
let browser: Visitor;
let tamper: (answer: Record<string, unknown>) => void | Promise<void>;
const extra: TestProvider[] = [];

beforeEach(async () => {
  lab = await embeddedLab();
  // The provider's clock is the real one.
  lab.pass((Date.now() - lab.deps.system.now()) / 1000);
  tamper = () => {};
  provider = await oidcProvider(CALLBACK, { tamper: (answer) => tamper(answer) });
  provider.accounts.set("sub-alice", {
    preferred_username: "alice",
    name: "Alice A.",
    email: "alice@example.org",
    email_verified: true,
    groups: ["/boards/arm", "staff"],
  });
  browser = newBrowser();
  await setUp();
  const body = { value: provider.secret };
  await lab.request("/sign-in-secrets/keycloak", { method: "PUT", body });
});
afterEach(async () => {
  await lab.close();
  await provider.close();
  for (const one of extra.splice(0)) await one.close();
});

const newBrowser = () =>
  visitor(async (url, init) =>
    url.startsWith(LAB)
      ? lab.app.request(url, init, { address: "192.0.2.1" })
      : await fetch(url, init),
  );
const setUp = (rest: object = {}, sign_in: object = {}) =>
  lab.api("/settings", {
    method: "PUT",
    body: {
      settings: {
        sign_in: {
          oidc: [
            {
              ...{ name: "keycloak", label: "Key & Cloak", issuer: provider.issuer },
              ...{ client_id: provider.clientId, scopes: "openid profile email groups" },
              ...{ groups_claim: "groups", ...rest },
            },
          ],
          ...sign_in,
        },
      },
    },
  });

const newKey = () => generateKeyPairSync("rsa", { modulusLength: 2048 });
const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");
/** A JWT, RS256. */
function signed(header: object, claims: object, key: KeyObject): string {
  const text = `${part(header)}.${part(claims)}`;
  return `${text}.${sign("sha256", Buffer.from(text), key).toString("base64url")}`;
}
function claimsOf(answer: Record<string, unknown>): Record<string, unknown> {
  const [, claims = ""] = String(answer["id_token"]).split(".");
  return JSON.parse(Buffer.from(claims, "base64url").toString()) as Record<string, unknown>;
}

/** As far as the provider sends the browser back to. */
async function comeBack(subject = "sub-alice", next = "/devices"): Promise<string> {
  const begin = await browser.get(`${LAB}/sign-in/oidc/keycloak?next=${next}`);
  expect(begin.status).toBe(302);
  return await browser.signInAt(provider, begin.headers.get("location") ?? "", subject);
}
const signIn = async (subject?: string) => browser.get(await comeBack(subject));
const whoIsIn = async (): Promise<string | undefined> =>
  /<a href="\/account" title="Your account">([^<]*)</.exec(
    await (await browser.get(`${LAB}/`)).text(),
  )?.[1];
const user = async (name: string) => (await findUser(lab.deps, name))?.data;
async function addUser(name: string, rest: object = {}): Promise<void> {
  const made = { ...(await newUser(lab.deps, name, { source: "added" })), ...rest };
  await lab.deps.table.transact([{ put: userItem(made), when: "absent" }]);
}
const said = async (answer: Response) => [answer.status, await answer.text()] as const;

describe("signing in with an OpenID provider", () => {
  test("makes a user at the first time, and knows them again by issuer and subject", async () => {
    expect(await (await browser.get(`${LAB}/sign-in`)).text()).toContain(
      "Sign in with Key &amp; Cloak",
    );
    const answer = await signIn();
    expect([answer.status, answer.headers.get("location")]).toEqual([303, "/devices"]);
    expect(await whoIsIn()).toBe("alice");
    expect(await user("alice")).toMatchObject({
      ...{ admin: false, active: true, source: "keycloak" },
      ...{ email: "alice@example.org", full_name: "Alice A.", groups: [] },
    });
    // Another name there is the same person here.
    provider.accounts.set("sub-alice", { preferred_username: "alice2", name: "Alice B." });
    browser = newBrowser();
    expect((await signIn()).status).toBe(303);
    expect(await whoIsIn()).toBe("alice");
    expect(await user("alice2")).toBeUndefined();
    expect(await user("alice")).toMatchObject({ full_name: "Alice B." });
  });

  test("asks by code with PKCE, a state and a nonce that are new each time", async () => {
    const addresses: URL[] = [];
    for (let n = 0; n < 2; n++) {
      const begin = await browser.get(`${LAB}/sign-in/oidc/keycloak`);
      addresses.push(new URL(begin.headers.get("location") ?? ""));
      expect(begin.headers.get("set-cookie")).toMatch(/^pumice_oidc=v1\..*HttpOnly; SameSite=Lax/);
    }
    const [one, two] = addresses.map(({ searchParams }) => Object.fromEntries(searchParams));
    expect(one).toMatchObject({ response_type: "code", code_challenge_method: "S256" });
    expect(one?.["redirect_uri"]).toBe(CALLBACK);
    for (const name of ["state", "nonce", "code_challenge"]) {
      expect(one?.[name]).toMatch(/^[\w-]{43}$/);
      expect(one?.[name]).not.toBe(two?.[name]);
    }
  });

  test("takes no mail address that the provider does not vouch for", async () => {
    provider.accounts.set("sub-alice", { preferred_username: "alice", email: "root@example.org" });
    await signIn();
    expect((await user("alice"))?.email).toBe("");
  });

  test("links nobody by a name: neither somebody who was added, nor an administrator", async () => {
    await addUser("alice");
    expect(await said(await signIn())).toEqual([
      401,
      expect.stringContaining("another user alice here"),
    ]);
    provider.accounts.set("sub-root", { preferred_username: "admin" });
    await setUp({ adopt_users: true });
    browser = newBrowser();
    expect((await signIn("sub-root")).status).toBe(401);
    browser = newBrowser();
    expect((await signIn()).status).toBe(303);
    expect(await user("alice")).toMatchObject({ source: "keycloak" });
    // Once it has an account, no other one comes into its place.
    provider.accounts.set("sub-other", { preferred_username: "alice" });
    browser = newBrowser();
    expect((await signIn("sub-other")).status).toBe(401);
  });

  test("lets in only whom an administrator added, where the lab says so", async () => {
    await setUp({ create_users: false });
    expect(await said(await signIn())).toEqual([
      401,
      expect.stringContaining("ask an administrator"),
    ]);
    expect(await user("alice")).toBeUndefined();
  });

  test.each(["lava-health", "everyone", "a b", "", "../x", "x".repeat(200)])(
    "lets in nobody whose name can be no user's: %j",
    async (name) => {
      provider.accounts.set("sub-odd", { preferred_username: name });
      expect((await signIn("sub-odd")).status).toBe(401);
    },
  );

  test("maps groups: who may come in, who is an administrator, and groups of one's own prefix", async () => {
    await addUser("bob");
    await setUp({ allowed_groups: ["staff"], admin_groups: ["staff"], group_prefix: "kc-" });
    expect((await signIn()).status).toBe(303);
    expect(await user("alice")).toMatchObject({
      admin: true,
      groups: ["kc-boards..arm", "kc-staff"],
    });
    const { groups } = await lab.api<{ groups: { name: string; members: string[] }[] }>("/groups");
    expect(groups).toMatchObject([
      { name: "kc-boards..arm", members: ["alice"] },
      { name: "kc-staff", members: ["alice"] },
    ]);
    await setUp({ admin_groups: ["root"], group_prefix: "kc-" });
    provider.accounts.set("sub-alice", { preferred_username: "alice", groups: ["staff"] });
    browser = newBrowser();
    await signIn();
    expect(await user("alice")).toMatchObject({ admin: false, groups: ["kc-staff"] });
    await setUp({ allowed_groups: ["nobody"] });
    browser = newBrowser();
    expect((await signIn()).status).toBe(401);
  });

  test("takes no group for another one whose name looks like its path", async () => {
    await setUp({ group_prefix: "kc-" });
    const groups = ["boards/arm", "boards-arm", "boards.arm", "boards..arm", "boards./.arm"];
    provider.accounts.set("sub-alice", { preferred_username: "alice", groups });
    expect((await signIn()).status).toBe(303);
    const { groups: here } = (await user("alice"))!;
    expect(here).toContain("kc-boards..arm");
    expect(new Set(here).size).toBe(groups.length);
  });

  test("links an account with whoever is signed in and asks for it", async () => {
    const { token } = await lab.addUser("bob");
    await browser.post(`${LAB}/sign-in`, { token });
    const page = await (await browser.post(`${LAB}/account/link/keycloak`, {})).text();
    const there = /href="([^"]*)">Go on to Key &amp; Cloak/
      .exec(page)?.[1]
      ?.replaceAll("&amp;", "&");
    const back = await browser.get(await browser.signInAt(provider, there ?? "", "sub-alice"));
    expect([back.status, back.headers.get("location")]).toEqual([303, "/account"]);
    expect(await (await browser.get(`${LAB}/account`)).text()).toContain("Key &amp; Cloak: linked");
    browser = newBrowser();
    await signIn();
    expect(await whoIsIn()).toBe("bob");
    // It is nobody else's any more.
    const carol = await lab.addUser("carol");
    browser = newBrowser();
    await browser.post(`${LAB}/sign-in`, { token: carol.token });
    const again = await (await browser.post(`${LAB}/account/link/keycloak`, {})).text();
    const url = /href="([^"]*)">Go on/.exec(again)?.[1]?.replaceAll("&amp;", "&") ?? "";
    expect((await browser.get(await browser.signInAt(provider, url, "sub-alice"))).status).toBe(
      409,
    );
  });

  test("reads a claim by its path", async () => {
    await setUp({
      name_claim: "nested.name",
      groups_claim: "nested.roles",
      admin_groups: ["boss"],
    });
    provider.accounts.set("sub-n", { nested: { name: "nora", roles: ["boss"] } });
    expect((await signIn("sub-n")).status).toBe(303);
    expect(await user("nora")).toMatchObject({ admin: true });
  });

  test("of a deactivated user is refused", async () => {
    await signIn();
    const item = await findUser(lab.deps, "alice");
    await lab.deps.table.transact([{ put: userItem({ ...item!.data, active: false }) }]);
    browser = newBrowser();
    expect(await said(await signIn())).toEqual([
      401,
      expect.stringContaining("may not sign in now"),
    ]);
  });

  test("ends at the provider, too, for whoever wants that", async () => {
    await signIn();
    const out = await browser.post(`${LAB}/sign-out`, {});
    expect(out.headers.get("location")).toBe("/sign-in?left=keycloak");
    const page = await (await browser.get(`${LAB}/sign-in?left=keycloak`)).text();
    expect(page).toContain("Sign out of Key &amp; Cloak, too");
    const there = await browser.get(`${LAB}/sign-in/oidc/keycloak/sign-out`);
    const url = new URL(there.headers.get("location") ?? "");
    expect(url.href).toContain(`${provider.issuer}/session/end?client_id=pumice`);
    expect((await fetch(url)).status).toBe(200);
  });

  test("says so when the provider can't be reached, or is not set up", async () => {
    await setUp({ issuer: "http://127.0.0.1:1" });
    expect((await browser.get(`${LAB}/sign-in/oidc/keycloak`)).status).toBe(503);
    expect((await browser.get(`${LAB}/sign-in/oidc/other`)).status).toBe(404);
    await setUp();
    await lab.request("/sign-in-secrets/keycloak", { method: "DELETE" });
    expect(await said(await signIn())).toEqual([503, expect.stringContaining("no secret")]);
  });
});

describe("what comes back is refused", () => {
  const refused = async (url: string) => {
    const answer = await browser.get(url);
    expect(answer.status).toBe(401);
    expect(answer.headers.getSetCookie().join()).not.toContain("pumice_session");
    expect(await whoIsIn()).toBeUndefined();
  };
  const withParameter = (url: string, name: string, value: string): string => {
    const changed = new URL(url);
    changed.searchParams.set(name, value);
    return changed.href;
  };

  test("with another state, another issuer, or an error", async () => {
    await refused(withParameter(await comeBack(), "state", "x".repeat(43)));
    await refused(withParameter(await comeBack(), "iss", "https://evil.test"));
    await refused(`${CALLBACK}?error=access_denied&state=x`);
  });

  test("in a browser that did not begin, after ten minutes, or twice", async () => {
    const url = await comeBack();
    browser = newBrowser();
    await refused(url);
    const late = await comeBack();
    lab.pass(10 * 60);
    await refused(late);
    lab.pass(-10 * 60);
    const good = await comeBack();
    expect((await browser.get(good)).status).toBe(303);
    const again = await browser.get(good);
    expect(again.status).toBe(401);
  });

  test("with a code of somebody else's flow: the verifier is not theirs", async () => {
    const mine = await comeBack();
    const stolen = new URL(mine).searchParams.get("code") ?? "";
    browser = newBrowser();
    await refused(withParameter(await comeBack(), "code", stolen));
  });

  test("with the cookie of another lab, or a damaged one", async () => {
    const url = await comeBack();
    for (const cookie of ["pumice_oidc=v1.AAAA", "pumice_oidc=x"]) {
      const answer = await lab.app.request(url, { headers: { cookie, accept: "text/html" } });
      expect(answer.status).toBe(401);
    }
  });

  /** The provider's own ID token, changed and signed by a key, the provider's own when none is given. */
  const forged = async (change: Record<string, unknown>, key: KeyObject, kid?: string) => {
    tamper = (answer) => {
      const claims = { ...claimsOf(answer), ...change };
      const header = { alg: "RS256", ...(kid === undefined ? {} : { kid }) };
      answer["id_token"] = signed(header, claims, key);
    };
    await refused(await comeBack());
  };

  test("with an ID token that another key has signed, be it of the same name", async () => {
    const { privateKey } = newKey();
    await forged({}, privateKey);
    const { keys } = (await (await fetch(`${provider.issuer}/jwks`)).json()) as {
      keys: { kid: string }[];
    };
    await forged({}, privateKey, keys[0]?.kid);
  });

  test("with an ID token without a signature", async () => {
    tamper = (answer) => {
      const [, claims] = String(answer["id_token"]).split(".");
      answer["id_token"] = `${part({ alg: "none" })}.${claims}.`;
    };
    await refused(await comeBack());
  });

  test("without an ID token", async () => {
    tamper = (answer) => void delete answer["id_token"];
    await refused(await comeBack());
  });

  describe("with an ID token that its own key has signed, of", () => {
    let key: KeyObject;
    beforeEach(async () => {
      key = newKey().privateKey;
      const jwk = { ...key.export({ format: "jwk" }), kid: "k", use: "sig", alg: "RS256" };
      await provider.close();
      provider = await oidcProvider(CALLBACK, {
        jwks: { keys: [jwk] },
        tamper: (answer) => tamper(answer),
      });
      provider.accounts.set("sub-alice", { preferred_username: "alice" });
      await setUp();
    });
    const now = () => Math.floor(Date.now() / 1000);

    test.each<[string, () => Record<string, unknown>]>([
      ["another audience", () => ({ aud: "another client" })],
      ["another issuer", () => ({ iss: "https://evil.test" })],
      ["another nonce", () => ({ nonce: "x".repeat(43) })],
      ["no nonce", () => ({ nonce: undefined })],
      ["a time that is over", () => ({ exp: now() - 60 })],
      ["no end", () => ({ exp: undefined })],
      ["no subject", () => ({ sub: undefined })],
    ])("%s", async (_, change) => {
      await forged(change(), key, "k");
    });

    test("a time that is over by less than clocks differ is taken", async () => {
      tamper = (answer) => {
        const claims = { ...claimsOf(answer), exp: now() - 10 };
        const header = { alg: "RS256", kid: "k" };
        answer["id_token"] = signed(header, claims, key);
      };
      expect((await signIn()).status).toBe(303);
      await setUp({ clock_tolerance_seconds: 0 });
      browser = newBrowser();
      await refused(await comeBack());
    });
  });
});
