import { AppError } from "../domain/app-error.ts";
import type { Deps } from "../domain/deps.ts";
import { labSettings } from "../domain/lab-settings.ts";
import { admitPerson } from "../domain/provider-person.ts";
import type { AskElsewhere } from "../domain/sign-in.ts";
import { signInSecret } from "../domain/sign-in-secrets.ts";
import { askDirectory } from "./ldap.ts";

/**
 * Asks the lab's directories one after the other. One that can't be reached stops nobody whom another one knows; if none
 * does, it is `unavailable`.
 */
export const askDirectories =
  (deps: Deps): AskElsewhere =>
  async (name, password) => {
    let unreachable: unknown;
    for (const provider of (await labSettings(deps)).sign_in.ldap) {
      try {
        const secret = await signInSecret(deps, provider.name);
        const person = await askDirectory(provider, secret, name, password);
        if (person) return await admitPerson(deps, provider, person);
      } catch (error) {
        if (!(error instanceof AppError) || error.code !== "unavailable") throw error;
        deps.system.log(error.message, { ...error.context });
        unreachable = error;
      }
    }
    if (unreachable !== undefined) throw unreachable;
    return undefined;
  };
