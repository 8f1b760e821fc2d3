import { providerName } from "#protocol/sign-in.ts";
import { AppError } from "./app-error.ts";
import { changeItem } from "./changes.ts";
import type { Deps } from "./deps.ts";
import { signInSecretKey } from "./people-keys.ts";
import { requireAdmin, type Principal } from "./principal.ts";
import { requireName } from "./require-name.ts";

/** What a provider of `sign_in` knows this lab by. */
interface SignInSecret {
  name: string;
  sealed: string;
}

/** Keeps the secret of a sign-in provider; it is shown to nobody. */
export async function putSignInSecret(
  deps: Deps,
  principal: Principal,
  name: string,
  { value }: { value: string },
): Promise<void> {
  const { name: who } = requireAdmin(principal);
  requireName(providerName, name, "sign-in provider");
  const sealed = deps.system.seal(deps.settings.secret, placeOf(name), value);
  const changed: Record<string, [null, string]> = { [`secret of ${name}`]: [null, "set"] };
  const change = changeItem(deps, { who, kind: "lab", name: "sign-in", changed });
  await deps.table.transact([
    { put: { key: signInSecretKey(name), data: { name, sealed } } },
    { put: change, when: "absent" },
  ]);
}

/** Throws `not_found`. */
export async function removeSignInSecret(
  deps: Deps,
  principal: Principal,
  name: string,
): Promise<void> {
  const { name: who } = requireAdmin(principal);
  const key = signInSecretKey(name);
  if (!(await deps.table.get(key))) {
    throw new AppError(
      "not_found",
      `there is no secret of a sign-in provider ${JSON.stringify(name)}`,
    );
  }
  const changed: Record<string, [string, null]> = { [`secret of ${name}`]: ["set", null] };
  const change = changeItem(deps, { who, kind: "lab", name: "sign-in", changed });
  await deps.table.transact([{ delete: key }, { put: change, when: "absent" }]);
}

/** Of the operator's environment, or else as an administrator has given it. */
export async function signInSecret(deps: Deps, name: string): Promise<string | undefined> {
  const given = deps.settings.signInSecret?.(name);
  if (given !== undefined) return given;
  const item = await deps.table.get<SignInSecret>(signInSecretKey(name));
  return item && deps.system.unseal(deps.settings.secret, placeOf(name), item.data.sealed);
}

const placeOf = (name: string): string => `sign-in provider ${name}`;
