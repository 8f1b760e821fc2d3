import { orNull } from "../shapes/device.ts";
import { everyTag } from "../every.ts";
import { Fault, named } from "./fault.ts";
import { maybe, method, name, text, type Call } from "./method.ts";

const T = "scheduler.tags.";

/** Takes a tag from every device that has it, and forgets what it means. */
async function deleteTag(call: Call, name: string): Promise<null> {
  const { deps, principal } = call;
  const { requireAdmin } = await import("../../domain/principal.ts");
  requireAdmin(principal);
  const tag = (await everyTag(call)).find((one) => one.name === name);
  if (!tag) throw new Fault(404, `Tag '${name}' was not found.`);
  const { changeDeviceTags } = await import("../../domain/device-tags.ts");
  for (const hostname of tag.devices) {
    await changeDeviceTags(deps, principal, hostname, (tags) => tags.filter((one) => one !== name));
  }
  const { listTags, removeTag } = await import("../../domain/tags.ts");
  const isDescribed = (await listTags(deps, principal)).tags.some((one) => one.name === name);
  if (isDescribed) await named("Tag", name, removeTag(deps, principal, name));
  return null;
}

/** `scheduler.tags` */
export const tagMethods = [
  method(
    T + "list",
    "read",
    {},
    "All tags: those that are described and those that a device has.",
    async (call) =>
      (await everyTag(call)).map(({ name, description }) => ({
        name,
        description: orNull(description),
      })),
  ),
  method(
    T + "show",
    "read",
    { name },
    "A tag and the devices that have it.",
    async (call, { name }) => {
      const found = (await everyTag(call)).find((tag) => tag.name === name);
      if (!found) throw new Fault(404, `Tag '${name}' was not found.`);
      return { name, description: orNull(found.description), devices: found.devices };
    },
  ),
  method(
    T + "add",
    "workers",
    { name, description: maybe(text) },
    "Makes a tag.",
    async ({ deps, principal }, { name, description = "" }) => {
      const { listTags, putTag } = await import("../../domain/tags.ts");
      const { tags } = await listTags(deps, principal);
      if (tags.some((tag) => tag.name === name)) {
        throw new Fault(400, "Bad request: tag already exists?");
      }
      await putTag(deps, principal, name, { description });
      return null;
    },
  ),
  method(
    T + "delete",
    "workers",
    { name },
    "Removes a tag, also from the devices that have it.",
    (call, { name }) => deleteTag(call, name),
  ),
];
