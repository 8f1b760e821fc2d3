import { afterAll, beforeAll, beforeEach, describe, expect, test, afterEach } from "vitest";
import type { LdapProvider } from "#protocol/sign-in.ts";
import { findUser } from "../../control-plane/domain/users.ts";
import { makeAuthority } from "../support/certificates.ts";
import { embeddedLab, type EmbeddedLab } from "../support/embedded-lab.ts";
import { readFileSync } from "node:fs";
import { BASE, READER, startSlapd, type Directory } from "./slapd.ts";

const person = (uid: string, password: string, rest = "") => `dn: uid=${uid},ou=people,${BASE}
objectClass: inetOrgPerson
uid: ${uid}
cn: ${uid} of the directory
sn: ${uid}
userPassword: ${password}
${rest}
`;
const LDIF = `dn: ${BASE}
objectClass: dcObject
objectClass: organization
o: example
dc: example

dn: ou=people,${BASE}
objectClass: organizationalUnit
ou: people

dn: ou=groups,${BASE}
objectClass: organizationalUnit
ou: groups

dn: ${READER.dn}
objectClass: person
cn: reader
sn: reader
userPassword: ${READER.password}

${person("alice", "alice's password", "mail: alice@example.org")}
${person("bob", "bob's password", "employeeType: retired")}
dn: uid=odd\\2C name\\28*\\29,ou=people,${BASE}
objectClass: inetOrgPerson
uid: odd, name(*)
uid: carol
cn: Carol
sn: Carol
userPassword: carol's password

dn: cn=staff,ou=groups,${BASE}
objectClass: groupOfNames
cn: staff
member: uid=alice,ou=people,${BASE}
member: uid=odd\\2C name\\28*\\29,ou=people,${BASE}

dn: cn=boards,ou=groups,${BASE}
objectClass: groupOfNames
cn: boards
member: uid=alice,ou=people,${BASE}
`;

let directory: Directory;
let lab: EmbeddedLab;
beforeAll(async () => {
  directory = await startSlapd(LDIF);
});
afterAll(() => directory.close());
beforeEach(async () => {
  lab = await embeddedLab();
  // Of the lab's own passwords: it is not slow, as this is not about them.
  Object.assign(lab.deps.system, {
    isSlowHashOf: async (password: string, hash: string) => hash === `$scrypt$${password}`,
    slowHash: async (password: string) => `$scrypt$${password}`,
  });
  const body = { value: READER.password };
  await lab.request("/sign-in-secrets/company", { method: "PUT", body });
});
afterEach(() => lab.close());

const byDn = (): Partial<LdapProvider> => ({ user_dn: `uid={name},ou=people,${BASE}` });
const bySearch = (): Partial<LdapProvider> => ({
  search: { bind_dn: READER.dn, base: `ou=people,${BASE}`, filter: "(uid={name})" },
});
const groups = {
  groups: { base: `ou=groups,${BASE}`, filter: "(member={dn})", name_attribute: "cn" },
};
const setUp = (rest: Partial<LdapProvider>) =>
  lab.api("/settings", {
    method: "PUT",
    body: {
      settings: {
        sign_in: {
          ldap: [{ name: "company", url: directory.url, ca: directory.ca, ...rest }],
        },
      },
    },
  });
const signIn = async (name: string, password: string): Promise<number> => {
  const answer = await lab.app.request(
    "/sign-in",
    {
      method: "POST",
      headers: { "sec-fetch-site": "same-origin" },
      body: new URLSearchParams({ name, password }).toString(),
    },
    { address: "192.0.2.1" },
  );
  return answer.status;
};
const user = async (name: string) => (await findUser(lab.deps, name))?.data;

describe.each([
  ["as the person", byDn],
  ["after a search", bySearch],
])("a directory that is asked %s", (_, way) => {
  test("signs in whose password it is, and nobody else", async () => {
    await setUp({ ...way(), ...groups });
    expect(await signIn("alice", "alice's password")).toBe(303);
    expect(await user("alice")).toMatchObject({
      ...{ source: "company", admin: false, email: "alice@example.org" },
      full_name: "alice of the directory",
    });
    expect(await signIn("alice", "bob's password")).toBe(401);
    expect(await signIn("nobody", "alice's password")).toBe(401);
  });

  test("knows a person again who is typed in another way", async () => {
    await setUp(way());
    expect(await signIn("ALICE", "alice's password")).toBe(303);
    expect(await signIn("alice", "alice's password")).toBe(303);
    expect(await user("ALICE")).toBeUndefined();
  });

  test("takes no syntax in a name: neither of filters nor of distinguished names", async () => {
    await setUp(way());
    for (const name of [
      "*",
      "a*",
      "alice)(uid=*",
      "*)(|(uid=*",
      "alice,ou=people",
      "alice\\",
      "alice\0",
      "x,uid=alice",
      "alice+uid=alice",
      "\\2a",
    ]) {
      expect([name, await signIn(name, "alice's password")]).toEqual([name, 401]);
      lab.pass(1000);
    }
  });

  test("finds a person whose name has such characters", async () => {
    await setUp({ ...way(), name_attribute: "sn" });
    expect(await signIn("odd, name(*)", "carol's password")).toBe(303);
    expect(await user("Carol")).toMatchObject({ source: "company" });
  });

  test("lets in no disabled entry", async () => {
    await setUp(way());
    expect(await signIn("bob", "bob's password")).toBe(303);
    await setUp({ ...way(), disabled_filter: "(employeeType=retired)" });
    expect(await signIn("bob", "bob's password")).toBe(401);
    expect(await signIn("alice", "alice's password")).toBe(303);
  });

  test("says who is in which group, and who is an administrator", async () => {
    await setUp({ ...way(), ...groups, group_prefix: "c-", admin_groups: ["boards"] });
    await signIn("alice", "alice's password");
    expect(await user("alice")).toMatchObject({ admin: true, groups: ["c-boards", "c-staff"] });
    await setUp({ ...way(), ...groups, admin_groups: ["staff"], allowed_groups: ["boards"] });
    expect(await signIn("bob", "bob's password")).toBe(401);
  });

  test("is asked over TLS from the beginning, too", async () => {
    await setUp({ ...way(), url: directory.tlsUrl });
    expect(await signIn("alice", "alice's password")).toBe(303);
  });

  test("is told no password when its certificate is another authority's or another host's", async () => {
    const other = makeAuthority();
    try {
      const ca = readFileSync(other.file, "utf8");
      for (const url of [directory.url, directory.tlsUrl]) {
        await setUp({ ...way(), url, ca });
        expect(await signIn("alice", "alice's password")).toBe(503);
        await setUp({ ...way(), url: url.replace("localhost", "127.0.0.2") });
        expect(await signIn("alice", "alice's password")).toBe(503);
      }
    } finally {
      other.remove();
    }
    expect(lab.messages.join("\n")).toMatch(/company can't be asked.*certificate/);
    expect(lab.messages.join("\n")).not.toContain("alice's password");
  });
});

describe("a directory", () => {
  test("is not asked for whom the lab keeps a password", async () => {
    await setUp(byDn());
    expect(await signIn("alice", "alice's password")).toBe(303);
    const body = { password: "the lab's own one" };
    await lab.request("/users/alice/password", { method: "PUT", body });
    expect(await signIn("alice", "alice's password")).toBe(401);
    expect(await signIn("alice", "the lab's own one")).toBe(303);
    // Unless the lab's own are switched off.
    const ldap = [{ name: "company", url: directory.url, ca: directory.ca, ...byDn() }];
    const settings = { sign_in: { passwords: false, ldap } };
    await lab.api("/settings", { method: "PUT", body: { settings } });
    expect(await signIn("alice", "the lab's own one")).toBe(401);
    expect(await signIn("alice", "alice's password")).toBe(303);
  });

  test("puts nobody in the first administrator's place", async () => {
    await setUp({ ...byDn(), name_attribute: "sn", adopt_users: true });
    await lab.addUser("alice", true);
    expect(await signIn("alice", "alice's password")).toBe(401);
  });

  test("that is away stops nobody whom another one knows", async () => {
    const away = { name: "away", url: "ldap://127.0.0.1:1", ...byDn() };
    const here = { name: "company", url: directory.url, ca: directory.ca, ...byDn() };
    const put = (ldap: object[]) =>
      lab.api("/settings", { method: "PUT", body: { settings: { sign_in: { ldap } } } });
    await put([away, here]);
    expect(await signIn("alice", "alice's password")).toBe(303);
    expect(await signIn("alice", "wrong")).toBe(503);
  });

  test("whose reader the lab has no password of says so to the operator only", async () => {
    await lab.request("/sign-in-secrets/company", { method: "DELETE" });
    await setUp(bySearch());
    expect(await signIn("alice", "alice's password")).toBe(503);
    expect(lab.messages.join()).toContain("this lab has no password of cn=reader");
  });
});
