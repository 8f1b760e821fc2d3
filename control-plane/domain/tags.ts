import type { TagView } from "#protocol/api.ts";
import { tagName } from "#protocol/lab.ts";
import type { Deps } from "./deps.ts";
import { listNamed, namedItem, removeNamed } from "./named-items.ts";
import { requireName } from "./require-name.ts";
import { requireAdmin, requireUser, type Principal } from "./principal.ts";

/** Tags that are described, by name; a device may have others. */
export async function listTags(deps: Deps, principal: Principal): Promise<{ tags: TagView[] }> {
  requireUser(principal);
  return { tags: await listNamed<TagView>(deps, "tags") };
}

/** Says what a tag means. */
export async function putTag(
  deps: Deps,
  principal: Principal,
  name: string,
  { description }: { description: string },
): Promise<TagView> {
  requireAdmin(principal);
  requireName(tagName, name, "tag");
  const tag: TagView = { name, description };
  await deps.table.transact([{ put: namedItem("tags", tag) }]);
  return tag;
}

/** Forgets what a tag means; devices keep it. Throws `not_found`. */
export async function removeTag(deps: Deps, principal: Principal, name: string): Promise<void> {
  requireAdmin(principal);
  await removeNamed(deps, "tags", name, "tag");
}
