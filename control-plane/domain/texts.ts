import type { TextVersion, TextVersionList } from "#protocol/lab.ts";
import type { Operation } from "../ports/table.ts";
import { AppError } from "./app-error.ts";
import { changeItem } from "./changes.ts";
import type { Deps } from "./deps.ts";
import { templatesKey, textKey, textVersionKey, type TextKind } from "./keys.ts";
import { queryAll } from "./query-all.ts";
import { retrying } from "./retrying.ts";
import { without } from "./without.ts";

/** A text of the lab at one of its versions; the last one stands beside the others, under a key of its own. */
export interface TextRecord extends TextVersion {
  name: string;
  /** Empty when this version removed it. */
  text: string;
}

export interface TextChange {
  kind: TextKind;
  name: string;
  /** Undefined removes it. */
  text: string | undefined;
  format?: TextRecord["format"];
  user: string;
  comment?: string;
  /** What the caller has seen: `conflict` when another version is the current one. 0: none. */
  ifVersion?: number | undefined;
}

export interface ChangedText {
  record: TextRecord;
  changed: boolean;
  /** For the caller's transaction; empty when nothing changed. */
  operations: Operation[];
}

/** Who changes a text may say why, and which version it is that they have seen. */
export interface HowChanged {
  comment?: string;
  ifVersion?: number | undefined;
}

/** A text is at most this long in UTF-8, so that it fits an item of the table however it is escaped. */
const MAX_TEXT_BYTES = 256 * 1024;
const MAX_JSON_BYTES = 360 * 1024;
/** Versions carry their text. */
const VERSIONS_PER_PAGE = 50;

/**
 * What must be written to change a text: one version more, unless the text is the one that is there. Throws `too_large`,
 * `conflict` when the caller has seen another version, `not_found` when there is nothing to remove.
 */
export async function changeText(deps: Deps, change: TextChange): Promise<ChangedText> {
  const { kind, name, text, format, user, comment = "", ifVersion } = change;
  const item = await deps.table.get<TextRecord>(textKey(kind, name));
  const old = item?.data;
  if (ifVersion !== undefined && ifVersion !== (old?.version ?? 0)) {
    const now = `it is at version ${old?.version ?? 0}${old?.removed ? ", which removed it" : ""}`;
    throw new AppError("conflict", `${name} is not at version ${ifVersion} any more: ${now}`);
  }
  if (text === undefined && (!old || old.removed)) throw noText(kind, name, old);
  if (old && !old.removed && old.text === text && old.format === format) {
    return { record: old, changed: false, operations: [] };
  }
  const tooLong = textProblem(text ?? "");
  if (tooLong !== undefined) throw new AppError("too_large", `${name}: ${tooLong}`);
  const record: TextRecord = {
    name,
    version: (old?.version ?? 0) + 1,
    time: new Date(deps.system.now()).toISOString(),
    user,
    comment,
    text: text ?? "",
    ...(text === undefined ? { removed: true } : {}),
    ...(format === undefined ? {} : { format }),
  };
  const operations: Operation[] = [
    {
      put: { key: textKey(kind, name), data: record },
      when: item ? { version: item.version } : "absent",
    },
    {
      put: { key: textVersionKey(kind, name, record.version), data: record },
      when: "absent",
    },
  ];
  const versions = [old, record].map((one) =>
    one && !one.removed ? `version ${one.version}` : null,
  );
  // A worker's are several, and stand in its history.
  const [owner = name, field = "text"] = kind === "worker" ? name.split("/") : [name];
  operations.push({
    put: changeItem(deps, {
      kind,
      name: owner,
      who: user,
      changed: { [field]: [versions[0] ?? null, versions[1] ?? null] },
      reason: comment === "" ? undefined : comment,
    }),
    when: "absent",
  });
  if (kind === "template") operations.push({ put: { key: templatesKey, data: {} } });
  return { record, changed: true, operations };
}

/** Changes a text with which nothing else is written. */
export async function writeText(
  deps: Deps,
  change: TextChange,
): Promise<TextVersion & { changed: boolean }> {
  return retrying(async () => {
    const { record, changed, operations } = await changeText(deps, change);
    if (changed) await deps.table.transact(operations);
    return { ...without(record, "name", "text"), changed };
  });
}

/** The text as it is now; undefined when there is none (any more). */
export async function findText(
  deps: Deps,
  kind: TextKind,
  name: string,
): Promise<TextRecord | undefined> {
  const item = await deps.table.get<TextRecord>(textKey(kind, name));
  return item?.data.removed ? undefined : item?.data;
}

/** The text now or, when `version` is given, then; also of a text that was removed since. Throws `not_found`. */
export async function getText(
  deps: Deps,
  kind: TextKind,
  name: string,
  version?: number,
): Promise<TextRecord> {
  const key = version === undefined ? textKey(kind, name) : textVersionKey(kind, name, version);
  const record = (await deps.table.get<TextRecord>(key))?.data;
  if (record && !record.removed) return record;
  if (version === undefined || record) throw noText(kind, name, record);
  throw new AppError("not_found", `${SUBJECT[kind]} ${quoted(name)} has no version ${version}`);
}

/** The texts of a kind that are there, by name. */
export async function* listTexts(deps: Deps, kind: TextKind): AsyncGenerator<TextRecord> {
  const { partition } = textKey(kind, "");
  for await (const { data } of queryAll<TextRecord>(deps, "main", partition, { limit: 50 })) {
    if (!data.removed) yield data;
  }
}

/** Newest first, also those of a text that was removed. Throws `not_found` when there never was one. */
export async function listVersions(
  deps: Deps,
  kind: TextKind,
  name: string,
  {
    limit = VERSIONS_PER_PAGE,
    cursor,
  }: { limit?: number | undefined; cursor?: string | undefined },
): Promise<TextVersionList> {
  const before = cursor === undefined ? undefined : Number(cursor);
  if (before !== undefined && !(Number.isSafeInteger(before) && before > 0)) {
    throw new AppError("invalid", "cursor: expected next_cursor of an earlier answer");
  }
  const { partition } = textVersionKey(kind, name, 0);
  const to = before === undefined ? {} : { to: textVersionKey(kind, name, before - 1).sort };
  const { items } = await deps.table.query<TextRecord>("main", partition, {
    reverse: true,
    limit: Math.min(Math.max(1, limit), VERSIONS_PER_PAGE),
    ...to,
  });
  const versions = items.map(({ data }) => without(data, "name", "text"));
  const last = versions.at(-1);
  if (!last && before === undefined) throw noText(kind, name, undefined);
  return last && last.version > 1 ? { versions, next_cursor: String(last.version) } : { versions };
}

const SUBJECT = {
  template: "template",
  "health-check": "health check",
  device: "device",
  worker: "text of worker",
};

function noText(kind: TextKind, name: string, record: TextRecord | undefined): AppError {
  const isOfThing = kind === "device" || kind === "worker";
  const what = isOfThing ? `text of a ${kind}` : `${SUBJECT[kind]} of the lab's own`;
  const since = record?.removed
    ? `; version ${record.version} removed it, earlier ones can be read and put back`
    : "";
  return new AppError("not_found", `there is no ${what} ${quoted(name)}${since}`);
}

/** What keeps a text from being stored: its length. */
export function textProblem(text: string): string | undefined {
  const encoder = new TextEncoder();
  const isShort =
    encoder.encode(text).length <= MAX_TEXT_BYTES &&
    encoder.encode(JSON.stringify(text)).length <= MAX_JSON_BYTES;
  return isShort ? undefined : `a text has at most ${MAX_TEXT_BYTES} bytes`;
}

const quoted = (name: string): string => JSON.stringify(name);
