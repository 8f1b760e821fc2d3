import type { NewItem } from "../ports/table.ts";
import { credentialKey } from "./people-keys.ts";

/** A person's password in the table: only a slow hash of it. */
export interface CredentialRecord {
  name: string;
  hash: string;
  changed: string;
  /** They have to choose another one before they can do anything else. */
  must_change?: true;
}

export const credentialItem = (data: CredentialRecord): NewItem => ({
  key: credentialKey(data.name),
  data,
});
