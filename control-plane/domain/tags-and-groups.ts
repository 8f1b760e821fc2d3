import type { GroupView, TagView } from "#protocol/api.ts";
import { labName, tagName, type LabGroup } from "#protocol/lab.ts";
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

/** All groups by name. */
export async function listGroups(
  deps: Deps,
  principal: Principal,
): Promise<{ groups: GroupView[] }> {
  requireUser(principal);
  return { groups: await listNamed<GroupView>(deps, "groups") };
}

/** Makes or replaces a group of users. */
export async function putGroup(
  deps: Deps,
  principal: Principal,
  name: string,
  { description, members }: LabGroup,
): Promise<GroupView> {
  requireAdmin(principal);
  requireName(labName, name, "group");
  const group: GroupView = { name, description, members: [...new Set(members)] };
  await deps.table.transact([{ put: namedItem("groups", group) }]);
  return group;
}

/** Throws `not_found`. */
export async function removeGroup(deps: Deps, principal: Principal, name: string): Promise<void> {
  requireAdmin(principal);
  await removeNamed(deps, "groups", name, "group");
}
