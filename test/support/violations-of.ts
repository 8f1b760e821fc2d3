import type { Violation } from "#protocol/integrity.ts";
import type { Deps } from "../../control-plane/domain/deps.ts";
import { checkPage } from "../../control-plane/domain/integrity/check-page.ts";
import type { Principal } from "../../control-plane/domain/principal.ts";

/** All that a check of a lab at rest finds (protocol/integrity.ts). */
export async function violationsOf(deps: Deps, admin: Principal): Promise<Violation[]> {
  const violations: Violation[] = [];
  let cursor: string | undefined;
  do {
    const page = await checkPage(deps, admin, cursor);
    violations.push(...page.violations);
    ({ cursor } = page);
  } while (cursor !== undefined);
  return violations;
}
