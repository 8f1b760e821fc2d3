import { describe, expect, test } from "vitest";
import {
  TableConflict,
  type Index,
  type Item,
  type Range,
  type SecondaryKeys,
  type StoredItem,
  type Table,
} from "../../control-plane/ports/table.ts";
import { fc } from "../support/property.ts";

/** What every engine's table must do. `makeTable` gives an empty table whose clock is `now`. */
export function tableConformance(makeTable: (now: () => number) => Promise<Table>): void {
  const fresh = () => makeTable(() => 1000);
  const key = (sort: string, partition = "p") => ({ partition, sort });
  const put = (sort: string, data: object = {}) => ({ put: { key: key(sort), data } });

  describe("items", () => {
    test("are read back as they were written, with a version that grows by one", async () => {
      const table = await fresh();
      const data = { text: "ä\u0000😀\n", list: [1, null, { deep: true }], n: 1.5 };
      await table.transact([{ put: { key: key("a"), data } }]);
      expect(await table.get(key("a"))).toEqual({ key: key("a"), version: 1, data });
      await table.transact([put("a", { other: 1 })]);
      expect(await table.get(key("a"))).toEqual({ key: key("a"), version: 2, data: { other: 1 } });
    });

    test("that are absent are undefined, and a deleted one starts again at version 1", async () => {
      const table = await fresh();
      expect(await table.get(key("a"))).toBeUndefined();
      await table.transact([put("a")]);
      await table.transact([{ delete: key("a"), when: { version: 1 } }]);
      expect(await table.get(key("a"))).toBeUndefined();
      await table.transact([{ delete: key("a") }]);
      await table.transact([put("a")]);
      expect((await table.get(key("a")))?.version).toBe(1);
    });

    test("are absent under keys that are longer than any can be", async () => {
      const table = await fresh();
      for (const long of [key("a".repeat(5000)), key("a", "ä".repeat(5000))]) {
        expect(await table.get(long)).toBeUndefined();
      }
      expect(await table.query("main", "p".repeat(5000))).toEqual({ items: [] });
      expect(await table.query("i1", "p".repeat(5000))).toEqual({ items: [] });
    });

    test("are absent for everybody once they have expired", async () => {
      let now = 1000;
      const table = await makeTable(() => now);
      const keys = { i1: { partition: "list", sort: "a" } };
      await table.transact([{ put: { key: key("a"), data: {}, keys, expires: 2000 } }]);
      expect((await table.query("i1", "list")).items).toHaveLength(1);
      now = 2000;
      expect(await table.get(key("a"))).toBeUndefined();
      expect((await table.query("i1", "list")).items).toEqual([]);
      await table.transact([{ ...put("a"), when: "absent" }]);
      expect((await table.get(key("a")))?.version).toBe(1);
    });

    test("are counted as a query gives them: in its bounds, and not once they have expired", async () => {
      let now = 1000;
      const table = await makeTable(() => now);
      const listed = (sort: string, expires?: number) => ({
        put: {
          ...{ key: key(sort), data: {}, keys: { i1: { partition: "list", sort } } },
          ...(expires === undefined ? {} : { expires }),
        },
      });
      await table.transact([listed("a"), listed("b", 2000), listed("c"), listed("d"), put("e")]);
      expect(await table.count("i1", "list")).toBe(4);
      expect(await table.count("i1", "list", { from: "b", to: "c" })).toBe(2);
      expect(await table.count("main", "p", { from: "d" })).toBe(2);
      expect(await table.count("i1", "other")).toBe(0);
      now = 2000;
      expect(await table.count("i1", "list", { from: "b", to: "c" })).toBe(1);
      expect(await table.count("main", "p")).toBe(4);
    });

    test("larger than 390 KiB are refused", async () => {
      const table = await fresh();
      await expect(table.transact([put("a", { text: "x".repeat(400 * 1024) })])).rejects.toThrow(
        /larger/,
      );
      expect(await table.get(key("a"))).toBeUndefined();
    });
  });

  describe("transactions", () => {
    test("write nothing when one condition does not hold", async () => {
      const table = await fresh();
      await table.transact([put("old")]);
      for (const failing of [
        { ...put("old"), when: "absent" as const },
        { ...put("old"), when: { version: 2 } },
        { ...put("new2"), when: { version: 1 } },
        { check: key("old"), when: "absent" as const },
        { check: key("none"), when: { version: 1 } },
        { delete: key("old"), when: { version: 9 } },
      ]) {
        await expect(table.transact([put("new"), failing])).rejects.toThrow(TableConflict);
        expect(await table.get(key("new"))).toBeUndefined();
        expect((await table.get(key("old")))?.version).toBe(1);
      }
    });

    test("take each item once and a hundred operations at most", async () => {
      const table = await fresh();
      await expect(table.transact([put("a"), put("a")])).rejects.toThrow(/two operations/);
      const many = (n: number) => Array.from({ length: n }, (_, i) => put(`k${i}`));
      await expect(table.transact(many(101))).rejects.toThrow(/100/);
      await table.transact(many(100));
      expect((await table.query("main", "p", { limit: 200 })).items).toHaveLength(100);
    });

    test("that run at the same time never overwrite each other", async () => {
      const table = await fresh();
      await table.transact([put("count", { n: 0 })]);
      const add = async (): Promise<void> => {
        const item = await table.get<{ n: number }>(key("count"));
        try {
          await table.transact([
            { ...put("count", { n: item!.data.n + 1 }), when: { version: item!.version } },
          ]);
        } catch (error) {
          if (!(error instanceof TableConflict)) throw error;
          await add();
        }
      };
      await Promise.all(Array.from({ length: 50 }, add));
      expect(await table.get(key("count"))).toMatchObject({ version: 51, data: { n: 50 } });
    });

    test("let only one of many make an item", async () => {
      const table = await fresh();
      const outcomes = await Promise.allSettled(
        Array.from({ length: 30 }, (_, n) =>
          table.transact([{ ...put("a", { n }), when: "absent" as const }, put(`side-${n}`)]),
        ),
      );
      expect(outcomes.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
      expect((await table.query("main", "p")).items).toHaveLength(2);
    });
  });

  describe("a transaction that is too large", () => {
    test("is refused whole, and one just below is written", async () => {
      const table = await fresh();
      const large = (n: number) => ({ text: "x".repeat(n) });
      const puts = (count: number) =>
        Array.from({ length: count }, (_, n) => put(`k${n}`, large(380 * 1024)));
      await expect(table.transact(puts(11))).rejects.toThrow(/bytes/);
      expect((await table.query("main", "p")).items).toEqual([]);
      await table.transact(puts(10));
      const found = await readAll(table, "main", "p", { limit: 3 });
      expect(found).toHaveLength(10);
    });
  });

  describe("a scan", () => {
    test("gives every item once with its keys, page by page", async () => {
      const table = await fresh();
      const keys = { i2: { partition: "list", sort: "1" } };
      for (let n = 0; n < 450; n += 50) {
        await table.transact(Array.from({ length: 50 }, (_, i) => put(`k${n + i}`, { n: n + i })));
      }
      await table.transact([
        { put: { key: key("a", "q"), data: { x: 1 }, keys, expires: 5000 } },
        { put: { key: key("b", "q"), data: {}, expires: 999 } },
      ]);
      await table.counter("job");
      const found: StoredItem[] = [];
      let cursor: string | undefined;
      do {
        const page = await table.scan(cursor);
        found.push(...page.items);
        ({ cursor } = page);
      } while (cursor !== undefined);
      expect(found).toHaveLength(451);
      expect(new Set(found.map((item) => JSON.stringify(item.key))).size).toBe(451);
      expect(found.find((item) => item.key.partition === "q")).toEqual({
        key: key("a", "q"),
        version: 1,
        data: { x: 1 },
        keys,
        expires: 5000,
      });
    });

    test.each(["null", "1", "{}", "{"])("names a cursor that is none: %s", async (text) => {
      const cursor = Buffer.from(text).toString("base64url");
      const table = await fresh();
      await expect(table.scan(cursor)).rejects.toThrow(SyntaxError);
      await expect(table.query("main", "q", { cursor })).rejects.toThrow(SyntaxError);
    });

    test("of an empty table is empty", async () => {
      expect((await (await fresh()).scan()).items).toEqual([]);
    });
  });

  describe("queries", () => {
    test("find items by their secondary keys, which a put replaces", async () => {
      const table = await fresh();
      const item = (keys: object) => ({ put: { key: key("a"), data: {}, keys } });
      const at = (partition: string) => ({ partition, sort: "s" });
      await table.transact([item({ i1: at("x"), i2: at("x"), i3: at("x"), i4: at("x") })]);
      for (const index of ["i1", "i2", "i3", "i4"] as const) {
        expect((await table.query(index, "x")).items).toHaveLength(1);
        expect((await table.query(index, "p")).items).toHaveLength(0);
      }
      await table.transact([item({ i2: at("y") })]);
      expect((await table.query("i1", "x")).items).toEqual([]);
      expect((await table.query("i2", "x")).items).toEqual([]);
      expect((await table.query("i2", "y")).items).toHaveLength(1);
    });

    test("and a look at everything find an item as it was put last, whatever it was before", async () => {
      const place = fc.option(
        fc.record({ partition: fc.constantFrom("x", "y"), sort: fc.constantFrom("1", "2") }),
        { nil: undefined },
      );
      const form = fc.record({
        keys: fc.record({ i1: place, i2: place, i3: place, i4: place }),
        expires: fc.constantFrom(undefined, 5000, 6000),
        data: fc.record({ x: fc.integer() }),
      });
      const forms = fc.array(form, { minLength: 2, maxLength: 6 });
      await fc.assert(
        fc.asyncProperty(forms, async (forms) => {
          const table = await fresh();
          for (const [n, { keys, expires, data }] of forms.entries()) {
            const given = Object.entries(keys).filter(([, one]) => one);
            const item = {
              ...{ key: key("a"), data, keys: Object.fromEntries(given) as SecondaryKeys },
              ...(expires === undefined ? {} : { expires }),
            };
            await table.transact([{ put: item }]);
            expect((await table.scan()).items).toEqual([{ ...item, version: n + 1 }]);
            for (const index of ["i1", "i2", "i3", "i4"] as const) {
              const inside = keys[index]?.partition;
              for (const list of ["x", "y"]) {
                const { items } = await table.query(index, list);
                expect(items.map((one) => one.data)).toEqual(list === inside ? [data] : []);
              }
            }
          }
        }),
        { numRuns: 10 },
      );
    });

    test("order by bytes and page through ties without loss or repeat", async () => {
      await fc.assert(
        fc.asyncProperty(
          fc.array(fc.tuple(fc.constantFrom("a", "B", "ä", "10", "9", "~"), fc.nat(5)), {
            maxLength: 30,
          }),
          fc.integer({ min: 1, max: 7 }),
          fc.boolean(),
          async (entries, limit, reverse) => {
            const table = await fresh();
            const sorts = new Map(entries.map(([sort, n], i) => [`${i}-${n}`, sort]));
            for (const [name, sort] of sorts) {
              const keys = { i1: { partition: "list", sort } };
              await table.transact([{ put: { key: key(name), data: { sort }, keys } }]);
            }
            const found = await readAll<{ sort: string }>(table, "i1", "list", { limit, reverse });
            expect(new Set(found.map((item) => item.key.sort)).size).toBe(sorts.size);
            const order = found.map((item) => Buffer.from(item.data.sort));
            const sorted = order.toSorted((a, b) => Buffer.compare(a, b));
            expect(order).toEqual(reverse ? sorted.toReversed() : sorted);
          },
        ),
        { numRuns: 25 },
      );
    });

    test("take bounds of the sort key, both inclusive", async () => {
      const table = await fresh();
      for (const sort of ["a", "b", "c", "d"]) await table.transact([put(sort)]);
      const sortsOf = async (range: Range) =>
        (await table.query("main", "p", range)).items.map((item) => item.key.sort);
      expect(await sortsOf({ from: "b", to: "c" })).toEqual(["b", "c"]);
      expect(await sortsOf({ from: "b", reverse: true, limit: 2 })).toEqual(["d", "c"]);
      expect(await sortsOf({ to: "bz" })).toEqual(["a", "b"]);
      expect(await sortsOf({ from: "x" })).toEqual([]);
    });
  });

  test("a counter counts from 1 and gives nobody the same number", async () => {
    const table = await fresh();
    expect(await table.counter("job")).toBe(1);
    const numbers = await Promise.all(Array.from({ length: 20 }, () => table.counter("job")));
    expect(new Set(numbers).size).toBe(20);
    expect(await table.counter("other")).toBe(1);
  });

  test("a counter can be raised, never lowered", async () => {
    const table = await fresh();
    await table.raiseCounter("job", 41);
    expect(await table.counter("job")).toBe(42);
    await table.raiseCounter("job", 7);
    expect(await table.counter("job")).toBe(43);
  });
}

async function readAll<T>(
  table: Table,
  index: Index,
  partition: string,
  range: Range,
): Promise<Item<T>[]> {
  const found: Item<T>[] = [];
  let cursor: string | undefined;
  do {
    const page = await table.query<T>(index, partition, {
      ...range,
      ...(cursor === undefined ? {} : { cursor }),
    });
    found.push(...page.items);
    ({ cursor } = page);
  } while (cursor !== undefined);
  return found;
}
