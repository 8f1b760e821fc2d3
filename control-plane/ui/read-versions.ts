import * as v from "valibot";
import type { Deps } from "../domain/deps.ts";
import type { TextKind } from "../domain/keys.ts";
import { findText, getText, listVersions } from "../domain/texts.ts";
import { queryNumber } from "../http/route.ts";
import type { VersionedText } from "./versioned-text.tsx";

/** Versions carry their text: a page of them is small. */
const PER_PAGE = 20;

/** What the query string of a text with versions says: one of them, or two to compare. */
export const versionsQuery = v.object({
  version: v.optional(queryNumber),
  from: v.optional(queryNumber),
  to: v.optional(queryNumber),
  cursor: v.optional(v.string()),
});
export type VersionsQuery = v.InferOutput<typeof versionsQuery>;

/** A text as it is asked for. Whether whoever asks may see it is the caller's to know. Throws `not_found`. */
export async function readVersions(
  deps: Deps,
  kind: TextKind,
  name: string,
  { version, from, to, cursor }: VersionsQuery,
): Promise<VersionedText> {
  const { versions, next_cursor } = await listVersions(deps, kind, name, {
    limit: PER_PAGE,
    cursor,
  });
  const now = await findText(deps, kind, name);
  const last = versions.find(({ removed }) => !removed)?.version;
  const wanted = version ?? now?.version ?? last;
  const { text, version: shown, format } = await getText(deps, kind, name, wanted);
  const compared =
    from === undefined || to === undefined
      ? undefined
      : {
          ...{ from, to },
          fromText: (await getText(deps, kind, name, from)).text,
          toText: (await getText(deps, kind, name, to)).text,
        };
  return { text, version: shown, format, current: now?.version, versions, next_cursor, compared };
}
