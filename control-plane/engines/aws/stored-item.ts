import type { AttributeValue } from "@aws-sdk/client-dynamodb";
import {
  MAX_ITEM_BYTES,
  type Index,
  type Item,
  type Key,
  type NewItem,
  type SecondaryKeys,
  type StoredItem,
} from "../../ports/table.ts";

export type Attributes = Record<string, AttributeValue>;

export const SECONDARY = ["i1", "i2", "i3", "i4"] as const;

/**
 * Form of the stored items. A control plane reads its own form and all before; the next form must be one that this
 * one can read, so that two versions can serve one table (docs/cloud.md, upgrades).
 */
const FORM = 1;

/** Names of an index's key attributes; the main ones are `p` and `s`. */
export const keyNames = (index: Index): { p: string; s: string } =>
  index === "main" ? { p: "p", s: "s" } : { p: `${index}p`, s: `${index}s` };

/** DynamoDB wants three characters at least. */
export const indexName = (index: Exclude<Index, "main">): string => `by-${index}`;

/** Whether DynamoDB has room for such a key: no item has a longer one. */
export const canBeKey = (partition: string, sort = ""): boolean =>
  Buffer.byteLength(partition) <= 2048 && Buffer.byteLength(sort) <= 1024;

export const keyAttributes = ({ partition, sort }: Key): Attributes => ({
  p: { S: partition },
  s: { S: sort },
});

/** All attributes of an item beside its own key and version. `w` tells this write from every other. */
export function contentAttributes(item: NewItem, writeId: string): Attributes {
  const attributes: Attributes = {
    d: { S: encode(item) },
    w: { S: writeId },
    f: { N: String(FORM) },
  };
  if (item.expires !== undefined) {
    attributes["x"] = { N: String(item.expires) };
    attributes["ttl"] = { N: String(Math.ceil(item.expires / 1000)) };
  }
  for (const name of SECONDARY) {
    const key = item.keys?.[name];
    if (!key) continue;
    attributes[`${name}p`] = { S: key.partition };
    attributes[`${name}s`] = { S: key.sort };
  }
  return attributes;
}

/** Those that an item may have and `attributes` doesn't. */
export const absentAttributes = (attributes: Attributes): string[] =>
  ["x", "ttl", ...SECONDARY.flatMap((name) => [`${name}p`, `${name}s`])].filter(
    (name) => !(name in attributes),
  );

export const dataBytes = (item: NewItem): number => Buffer.byteLength(JSON.stringify(item.data));

function encode(item: NewItem): string {
  const text = JSON.stringify(item.data);
  if (Buffer.byteLength(text) > MAX_ITEM_BYTES) {
    const { partition, sort } = item.key;
    throw new Error(`item ${partition}/${sort} is larger than ${MAX_ITEM_BYTES} bytes`);
  }
  return text;
}

export const isExpired = (attributes: Attributes, now: number): boolean =>
  attributes["x"] !== undefined && Number(attributes["x"].N) <= now;

/** Whether these are of an item, and not of a counter. */
export const isItem = (attributes: Attributes): boolean => attributes["d"] !== undefined;

export function toItem<T>(attributes: Attributes): Item<T> {
  if (Number(attributes["f"]?.N) > FORM) {
    throw new Error(
      `item ${attributes["p"]?.S}/${attributes["s"]?.S} was written by a newer Pumice, in a form this one cannot read`,
    );
  }
  return {
    key: { partition: attributes["p"]?.S ?? "", sort: attributes["s"]?.S ?? "" },
    version: Number(attributes["v"]?.N),
    data: JSON.parse(attributes["d"]?.S ?? "null") as T,
  };
}

export function toStoredItem(attributes: Attributes): StoredItem {
  const keys: SecondaryKeys = {};
  for (const name of SECONDARY) {
    const partition = attributes[`${name}p`]?.S;
    const sort = attributes[`${name}s`]?.S;
    if (partition !== undefined && sort !== undefined) keys[name] = { partition, sort };
  }
  const expires = attributes["x"]?.N;
  return {
    ...toItem<object>(attributes),
    keys,
    ...(expires === undefined ? {} : { expires: Number(expires) }),
  };
}
