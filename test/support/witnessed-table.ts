import type { ChangeRecord } from "../../control-plane/domain/changes.ts";
import type { Key, Operation, Table } from "../../control-plane/ports/table.ts";

type Changed = ChangeRecord["changed"];

/**
 * A table that looks at every transaction: a job, a device or a worker whose state or health becomes another one has its entry in
 * the same transaction, with what was and what is, and no entry tells of anything else. `complain` hears of what isn't so.
 */
export function witnessedTable(inner: Table, complain: (what: string) => void): Table {
  return {
    get: (key) => inner.get(key),
    query: (...asked) => inner.query(...asked),
    count: (...asked) => inner.count(...asked),
    scan: (cursor) => inner.scan(cursor),
    counter: (name) => inner.counter(name),
    raiseCounter: (name, value) => inner.raiseCounter(name, value),
    async transact(operations) {
      const expected = await expectedOf(inner, operations);
      await inner.transact(operations);
      const removed = new Set(
        operations.flatMap((one) => ("delete" in one ? nameOf(one.delete) : [])),
      );
      const told = toldBy(operations);
      for (const [name, changed] of expected) {
        const entry = told.get(name);
        if (!isSame(entry, changed)) complain(`${name}: ${JSON.stringify({ changed, entry })}`);
        told.delete(name);
      }
      for (const [name, entry] of told) {
        if (!removed.has(name)) complain(`${name} did not change: ${JSON.stringify(entry)}`);
      }
    },
  };
}

const isSame = (a: Changed = {}, b: Changed): boolean =>
  ["state", "health"].every((field) => String(a[field]) === String(b[field]));

async function expectedOf(
  table: Table,
  operations: readonly Operation[],
): Promise<Map<string, Changed>> {
  const expected = new Map<string, Changed>();
  for (const operation of operations) {
    if (!("put" in operation)) continue;
    const { key, data } = operation.put;
    const [name] = nameOf(key);
    if (name === undefined) continue;
    const before = (await table.get<Record<string, string>>(key))?.data;
    const changed = differences(before, data as Record<string, string>);
    if (Object.keys(changed).length > 0) expected.set(name, changed);
  }
  return expected;
}

function differences(before: Record<string, string> | undefined, after: Record<string, string>) {
  const changed: Changed = {};
  for (const field of ["state", "health"]) {
    const [old = null, now = null] = [before?.[field], after[field]];
    if (old !== now) changed[field] = [old, now];
  }
  return changed;
}

/** `device dut`, for the item of one; nothing for other items. */
function nameOf({ partition, sort }: Key): string[] {
  const [, kind, name] = /^(job|device|worker)#(.+)$/.exec(partition) ?? [];
  return kind !== undefined && kind === sort ? [`${kind} ${name}`] : [];
}

/** What entries tell of states and healths. */
function toldBy(operations: readonly Operation[]): Map<string, Changed> {
  const told = new Map<string, Changed>();
  for (const operation of operations) {
    if (!("put" in operation) || !operation.put.key.partition.startsWith("changes#")) continue;
    const { kind, name, changed } = operation.put.data as ChangeRecord;
    const { state, health } = changed;
    if (!["job", "device", "worker"].includes(kind) || (!state && !health)) continue;
    told.set(`${kind} ${name}`, { ...(state ? { state } : {}), ...(health ? { health } : {}) });
  }
  return told;
}
