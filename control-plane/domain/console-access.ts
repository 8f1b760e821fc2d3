import type { Item } from "../ports/table.ts";
import { accessOf, mayChangeDevice, maySubmitTo } from "./access.ts";
import { AppError } from "./app-error.ts";
import { getConsoleItem, type ConsoleRecord } from "./console-record.ts";
import type { Deps } from "./deps.ts";
import type { DeviceRecord } from "./device-record.ts";
import { requireUser, type Principal, type User } from "./principal.ts";
import {
  getChangeableDevice,
  getChangeableJob,
  getVisibleDevice,
  orForbidden,
  refusal,
  sightBy,
} from "./visible.ts";

/** A session whose device whoever asks may see. Throws `not_found`. */
export async function getSeen(
  deps: Deps,
  principal: Principal,
  id: string,
): Promise<Item<ConsoleRecord>> {
  const item = await getConsoleItem(deps, id);
  const isHolder =
    (principal.kind === "user" || principal.kind === "session") &&
    principal.name === item.data.holder;
  if (!isHolder) await getVisibleDevice(deps, principal, item.data.device);
  return item;
}

/**
 * A session of which they may read what the device said. What is said in a job's pause is not masked as its log is, so it is
 * only for those who could take that console themselves.
 */
export async function getHeard(
  deps: Deps,
  principal: Principal,
  id: string,
): Promise<Item<ConsoleRecord>> {
  const item = await getSeen(deps, principal, id);
  if (item.data.job !== undefined) await requireOwner(deps, requireUser(principal), item.data);
  return item;
}

/** Its holder, and whoever may change what it is a console of. Throws `forbidden`. */
export async function requireOwner(
  deps: Deps,
  user: User,
  { holder, device, job }: ConsoleRecord,
): Promise<void> {
  if (holder === user.name) return;
  if (job === undefined) await getChangeableDevice(deps, user, device);
  else await getChangeableJob(deps, user, job, "taken over at its console");
}

/** Whether they may type there at all; asked again for whatever is typed. Throws `forbidden`. */
export async function requireUse(
  deps: Deps,
  user: User,
  { device, job }: { device: DeviceRecord; job?: number | undefined },
): Promise<void> {
  if (job !== undefined) {
    await orForbidden(getChangeableJob(deps, user, job, "taken over at its console"));
    return;
  }
  const access = await accessOf(deps, user);
  const type = await sightBy(deps, access).typeNamed(device.device_type);
  if (maySubmitTo(access, device, type) || mayChangeDevice(access, device, type)) return;
  throw refusal(`device ${device.hostname}`, "submit");
}

/** Throws `conflict` when a session was taken over by another window. */
export function requireWriter(session: ConsoleRecord, writer: string): void {
  if (session.writer === writer) return;
  throw new AppError("conflict", "another window has taken this console over: open it again");
}
