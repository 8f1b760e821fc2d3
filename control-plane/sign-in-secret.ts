import { readFileSync } from "node:fs";

/**
 * The secret of a sign-in provider in an environment: `PUMICE_SIGN_IN_SECRET_MY_LDAP` of `my-ldap`, or the file that
 * `PUMICE_SIGN_IN_SECRET_MY_LDAP_FILE` names, which is read each time. Throws when that can't be read.
 */
export function signInSecretIn(env: NodeJS.ProcessEnv, provider: string): string | undefined {
  const name = `PUMICE_SIGN_IN_SECRET_${provider.toUpperCase().replaceAll("-", "_")}`;
  const file = env[`${name}_FILE`];
  return env[name] || (file ? readFileSync(file, "utf8").trim() : undefined);
}
