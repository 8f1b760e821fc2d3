import { namedKey } from "./keys.ts";
import { editChange } from "./changes.ts";
import type { TagView } from "#protocol/lab-lists.ts";
import { tagName } from "#protocol/lab.ts";
import type { Deps } from "./deps.ts";
import { listNamed, namedItem, removeNamed } from "./named-items.ts";
import { requireName } from "./require-name.ts";
import { requireAdmin, requireReader, type Principal } from "./principal.ts";

/** Tags that are described, by name; a device may have others. */
export async function listTags(deps: Deps, principal: Principal): Promise<{ tags: TagView[] }> {
  requireReader(principal);
  return { tags: await listNamed<TagView>(deps, "tags") };
}

/** Says what a tag means. */
export async function putTag(
  deps: Deps,
  principal: Principal,
  name: string,
  { description }: { description: string },
): Promise<TagView> {
  const { name: who } = requireAdmin(principal);
  requireName(tagName, name, "tag");
  const tag: TagView = { name, description };
  const old = (await deps.table.get<TagView>(namedKey("tags", name)))?.data;
  await deps.table.transact([
    { put: namedItem("tags", tag) },
    ...editChange(deps, "tag", name, [old, tag], { who }),
  ]);
  return tag;
}

/** Forgets what a tag means; devices keep it. Throws `not_found`. */
export async function removeTag(deps: Deps, principal: Principal, name: string): Promise<void> {
  await removeNamed(deps, "tags", name, "tag", requireAdmin(principal));
}
