import type { NewItem } from "../ports/table.ts";
import { identityKey } from "./people-keys.ts";

/** Whose an account of a provider is. Names and mail addresses change hands; issuer and subject don't. */
export interface IdentityRecord {
  /** Of issuer and subject. */
  hash: string;
  provider: string;
  issuer: string;
  subject: string;
  user: string;
  created: string;
}

export const identityItem = (data: IdentityRecord): NewItem => ({
  key: identityKey(data.hash),
  data,
  keys: { i1: { partition: `identities#${data.user}`, sort: data.hash } },
});
