import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { AccountView } from "#protocol/sign-in.ts";
import { AppError } from "../../control-plane/domain/app-error.ts";
import { findUser } from "../../control-plane/domain/users.ts";
import { admitPerson, linkPerson } from "../../control-plane/domain/provider-person.ts";
import { signInWithPassword, startSession } from "../../control-plane/domain/sign-in.ts";
import { authenticate } from "../../control-plane/domain/tokens.ts";
import { embeddedLab, type EmbeddedLab } from "../support/embedded-lab.ts";

let lab: EmbeddedLab;
beforeEach(async () => {
  lab = await embeddedLab();
});
afterEach(() => lab.close());

const from = { address: "203.0.113.7", browser: "test" };
const setPassword = (name: string, password: string) =>
  lab.request(`/users/${name}/password`, { method: "PUT", body: { password } });

describe("a password that is wrong", () => {
  test("has the directories asked whoever's name it is, about that name only where the lab keeps no password", async () => {
    await lab.addUser("alice");
    await setPassword("alice", "correct horse battery");
    const asked: [string, string][] = [];
    const elsewhere = async (name: string, password: string) => {
      asked.push([name, password]);
      return undefined;
    };
    for (const name of ["alice", "nobody"]) {
      const typed = { name, password: "wrong horse battery" };
      await expect(signInWithPassword(lab.deps, typed, from, elsewhere)).rejects.toThrow(
        "don't go together",
      );
    }
    expect(asked).toHaveLength(2);
    expect(asked[1]).toEqual(["nobody", "wrong horse battery"]);
    expect(asked[0]).not.toContain("alice");
    expect(asked[0]).not.toContain("wrong horse battery");
  });

  test("is answered alike when a directory can't be asked", async () => {
    await lab.addUser("alice");
    await setPassword("alice", "correct horse battery");
    const elsewhere = async () => {
      throw new AppError("unavailable", "the directory can't be asked now");
    };
    for (const name of ["alice", "nobody"]) {
      const typed = { name, password: "wrong horse battery" };
      await expect(signInWithPassword(lab.deps, typed, from, elsewhere)).rejects.toThrow(
        "can't be asked",
      );
    }
    const right = { name: "alice", password: "correct horse battery" };
    expect(await signInWithPassword(lab.deps, right, from, elsewhere)).toHaveProperty("token");
  });
});

describe("groups of a provider", () => {
  const provider = {
    name: "keycloak",
    create_users: true,
    adopt_users: false,
    admin_groups: ["boss"],
  };
  const person = (name: string, groups: string[] = []) => ({
    ...{ issuer: "https://keycloak.test", subject: `sub-${name}`, name, groups },
  });
  const isAdmin = async (name: string) => (await findUser(lab.deps, name))?.data.admin;

  test("do not take away the last administrator whom the lab itself made", async () => {
    await admitPerson(lab.deps, provider, person("chief", ["boss"]));
    await lab.api("/users", { body: { name: "ann", admin: true } });
    await linkPerson(lab.deps, provider, person("ann"), "ann");
    // There is `admin` beside her.
    await admitPerson(lab.deps, provider, person("ann"));
    expect(await isAdmin("ann")).toBe(false);
    await lab.api("/users/ann", { method: "PATCH", body: { admin: true } });
    await linkPerson(lab.deps, provider, person("root"), "admin");
    await admitPerson(lab.deps, provider, person("root"));
    expect(await isAdmin("admin")).toBe(false);
    // An administrator of the provider is none that the lab could rely on.
    await admitPerson(lab.deps, provider, person("ann"));
    expect(await isAdmin("ann")).toBe(true);
  });

  test("take it from their own as long as there is another one", async () => {
    await admitPerson(lab.deps, provider, person("chief", ["boss"]));
    expect(await isAdmin("chief")).toBe(true);
    await admitPerson(lab.deps, provider, person("chief"));
    expect(await isAdmin("chief")).toBe(false);
  });

  test("leave one of two who come in at the same time", async () => {
    await lab.api("/users", { body: { name: "ann", admin: true } });
    await linkPerson(lab.deps, provider, person("ann"), "ann");
    await linkPerson(lab.deps, provider, person("root"), "admin");
    await Promise.all(["ann", "root"].map((name) => admitPerson(lab.deps, provider, person(name))));
    expect(new Set([await isAdmin("ann"), await isAdmin("admin")])).toEqual(new Set([false, true]));
  });
});

describe("an account of a provider that an administrator links", () => {
  const oidc = [{ name: "keycloak", issuer: "https://keycloak.test", client_id: "pumice" }];
  const provider = { name: "keycloak", create_users: false, adopt_users: false };
  const sub = (subject: string) => ({
    ...{ issuer: "https://keycloak.test", subject, name: "somebody", groups: [] },
  });
  const link = (name: string, subject: string, by = "keycloak") =>
    lab.request(`/users/${name}/accounts`, { body: { provider: by, subject } });
  beforeEach(async () => {
    await lab.request("/settings", { method: "PUT", body: { settings: { sign_in: { oidc } } } });
    await lab.addUser("alice");
    await lab.addUser("bob");
  });

  test("signs its person in, and is nobody else's until it is taken away", async () => {
    expect((await link("alice", "sub-1")).status).toBe(204);
    expect((await link("alice", "sub-1")).status).toBe(204);
    expect((await admitPerson(lab.deps, provider, sub("sub-1"))).name).toBe("alice");
    const refused = await link("bob", "sub-1");
    expect([refused.status, await refused.text()]).toEqual([
      409,
      expect.stringContaining("pumice users unlink alice"),
    ]);
    const { accounts } = await lab.api<{ accounts: AccountView[] }>("/users/alice/accounts");
    expect(accounts).toMatchObject([{ provider: "keycloak", subject: "sub-1" }]);
    const { id } = accounts[0]!;
    expect((await lab.request(`/users/bob/accounts/${id}`, { method: "DELETE" })).status).toBe(404);
    expect((await lab.request(`/users/alice/accounts/${id}`, { method: "DELETE" })).status).toBe(
      204,
    );
    await expect(admitPerson(lab.deps, provider, sub("sub-1"))).rejects.toThrow("does not");
    expect((await link("bob", "sub-1")).status).toBe(204);
  });

  test("is of a provider and a user that there are, and stands in the audit log", async () => {
    expect((await link("alice", "sub-1", "gitlab")).status).toBe(400);
    expect((await link("carol", "sub-1")).status).toBe(404);
    await link("alice", "sub-1");
    const { entries } = await lab.api<{
      entries: { name: string; who: string; changed: object }[];
    }>("/audit?kind=user&name=alice");
    expect(entries[0]).toMatchObject({
      who: "admin",
      changed: { account: [null, "https://keycloak.test sub-1"] },
    });
  });

  test("ends the sessions that it began when it is taken away", async () => {
    await link("alice", "sub-1");
    const who = { subject: "alice", admin: false, how: "oidc" };
    const { token } = await startSession(lab.deps, { ...who, provider: "keycloak" }, from);
    const other = await startSession(lab.deps, who, from);
    const isIn = async (session: string) => (await authenticate(lab.deps, session)) !== undefined;
    const { accounts } = await lab.api<{ accounts: AccountView[] }>("/users/alice/accounts");
    await lab.request(`/users/alice/accounts/${accounts[0]!.id}`, { method: "DELETE" });
    expect([await isIn(token), await isIn(other.token)]).toEqual([false, true]);
  });
});
