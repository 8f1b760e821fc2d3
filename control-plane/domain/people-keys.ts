import type { Key } from "../ports/table.ts";

/** Keys of people and of what they sign in with; who asks for them is in the table of keys.ts. */

export const userKey = (name: string): Key => ({ partition: `user#${name}`, sort: "user" });
/** There when everybody who has a token has a record as a user. */
export const usersKnownKey: Key = { partition: "lab", sort: "users-known" };
export const tokenKey = (id: string): Key => ({ partition: `token#${id}`, sort: "token" });
export const credentialKey = (name: string): Key => ({
  partition: `credential#${name}`,
  sort: "credential",
});
export const identityKey = (hash: string): Key => ({
  partition: `identity#${hash}`,
  sort: "identity",
});
export const terminalKey = (id: string): Key => ({
  partition: `terminal#${id}`,
  sort: "terminal",
});
export const attemptsKey = (hash: string): Key => ({
  partition: `attempts#${hash}`,
  sort: "attempts",
});
export const secretKey = (user: string, name: string): Key => ({
  partition: `secrets#${user}`,
  sort: name,
});
export const signInSecretKey = (provider: string): Key => ({
  partition: "sign-in-secrets",
  sort: provider,
});
