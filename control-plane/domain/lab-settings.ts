import {
  SETTINGS_NAMES,
  settingsDefaults,
  type LabSettings,
  type PutSettings,
  type SettingsView,
  type SomeSettings,
} from "#protocol/lab-settings.ts";
import type { Item, NewItem } from "../ports/table.ts";
import { AppError } from "./app-error.ts";
import { changeItem, type By } from "./changes.ts";
import type { Deps } from "./deps.ts";
import { settingsKey } from "./keys.ts";
import { requireAdmin, type Principal } from "./principal.ts";
import { queryAll } from "./query-all.ts";
import { retentionItem } from "./retention/retention-record.ts";
import { retrying } from "./retrying.ts";

/** What was read last of a lab's settings, good until they change. */
const known = new WeakMap<Deps["table"], { version: number; settings: LabSettings }>();

/** What the lab's administrators have set, with every default. One read. Not to be changed: others get the same. */
export async function labSettings(deps: Deps): Promise<LabSettings> {
  const item = await findSettings(deps);
  const version = item?.version ?? 0;
  const last = known.get(deps.table);
  if (last?.version === version) return last.settings;
  const settings = withDefaults(item?.data ?? {});
  known.set(deps.table, { version, settings });
  return settings;
}

/** The same for an administrator, with its version. */
export async function getSettings(deps: Deps, principal: Principal): Promise<SettingsView> {
  requireAdmin(principal);
  return viewOf(await findSettings(deps));
}

/**
 * Replaces the sections that are named; null gives one its defaults again. Throws `conflict` when the settings are not of the
 * version that the caller has read.
 */
export async function putSettings(
  deps: Deps,
  principal: Principal,
  { settings, version }: PutSettings,
): Promise<SettingsView> {
  const user = requireAdmin(principal);
  await writeSettings(deps, settings, { who: user.name }, version);
  return viewOf(await findSettings(deps));
}

/** As `putSettings`, for whoever has asked for the right already. Writes nothing when nothing changes. */
export async function writeSettings(
  deps: Deps,
  changes: PutSettings["settings"],
  by: By,
  version?: number,
): Promise<void> {
  const isChanged = await retrying(async () => {
    const item = await findSettings(deps);
    const before: Sections = item?.data ?? {};
    if (version !== undefined && version !== (item?.version ?? 0)) {
      throw new AppError("conflict", "the settings have changed meanwhile; read them again");
    }
    const named = Object.entries(changes).filter(([, value]) => value !== undefined);
    const after: Sections = { ...before, ...Object.fromEntries(named) };
    const changed: Record<string, [string | null, string | null]> = {};
    for (const name of SETTINGS_NAMES) {
      if (after[name] === null) delete after[name];
      const [old, now] = [asText(before[name]), asText(after[name])];
      if (old !== now) changed[name] = [old, now];
    }
    if (Object.keys(changed).length === 0) return false;
    const change = { kind: "lab", name: "settings", changed, ...by } as const;
    await deps.table.transact([
      { put: settingsItem(after), when: item ? { version: item.version } : "absent" },
      { put: changeItem(deps, change), when: "absent" },
      // Rules that are others begin at the front.
      ...(changed["retention"] ? [{ put: retentionItem({ due: nowText(deps) }) }] : []),
    ]);
    return true;
  });
  if (!isChanged) return;
  deps.system.log("lab settings changed", { user: by.who });
  if (changes.quotas === undefined && changes.access === undefined) return;
  // Jobs may begin that could not.
  for await (const { data } of queryAll<{ name: string }>(deps, "i1", "device-types")) {
    await deps.signals.requestPass(data.name);
  }
}

/** The sections that somebody has set, for a lab as code. */
export async function* readSettings(
  deps: Deps,
): AsyncGenerator<[name: string, value: Readonly<Record<string, unknown>>]> {
  const data: Sections = (await findSettings(deps))?.data ?? {};
  for (const name of SETTINGS_NAMES) {
    const value = data[name];
    if (value) yield [name, { ...settingsDefaults(name), ...value }];
  }
}

export const settingsItem = (data: object): NewItem => ({ key: settingsKey, data });

type Sections = Record<string, Readonly<Record<string, unknown>> | null | undefined>;

const findSettings = ({ table }: Deps): Promise<Item<SomeSettings> | undefined> =>
  table.get<SomeSettings>(settingsKey);

/** A field that an older version did not know has its default, too. */
function withDefaults(some: SomeSettings): LabSettings {
  const sections = SETTINGS_NAMES.map(
    (name) => [name, { ...settingsDefaults(name), ...some[name] }] as const,
  );
  return Object.fromEntries(sections) as unknown as LabSettings;
}

const viewOf = (item: Item<SomeSettings> | undefined): SettingsView => ({
  settings: withDefaults(item?.data ?? {}),
  version: item?.version ?? 0,
});

const MAX_TOLD_CHARS = 2000;

/** For the audit log, which has room for what a section usually is. */
function asText(value: object | null | undefined): string | null {
  if (!value) return null;
  const text = JSON.stringify(value);
  return text.length <= MAX_TOLD_CHARS ? text : `${text.slice(0, MAX_TOLD_CHARS)} ...`;
}

const nowText = ({ system }: Deps): string => new Date(system.now()).toISOString();
