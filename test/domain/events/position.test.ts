import { describe, expect, test } from "vitest";
import {
  lateFrom,
  makePosition,
  readPosition,
  untold,
} from "../../../control-plane/domain/events/position.ts";
import { fc } from "../../support/property.ts";

const idAt = (ms: number, n: number) =>
  `${new Date(Date.UTC(2026, 0, 1) + ms).toISOString()}#${n.toString(16).padStart(16, "0")}`;
const told = (ids: string[]) => readPosition(makePosition(ids[0]!, ids).text())!;
/** Random parts of ids are random. */
const anId = fc
  .tuple(fc.nat(30_000), fc.bigInt({ min: 1n, max: 2n ** 48n - 1n }))
  .map(([ms, n]) => idAt(ms, 0).slice(0, 25) + n.toString(16).padStart(16, "0"));
const someIds = fc
  .uniqueArray(anId, { minLength: 1, maxLength: 60, selector: (id) => id.slice(-12) })
  .map((ids) => ids.toSorted());

describe("a position", () => {
  test("tells each change once", () => {
    const position = makePosition(idAt(0, 1));
    expect([idAt(5, 2), idAt(5, 2), idAt(3, 9), idAt(3, 9)].map((id) => position.add(id))).toEqual([
      true,
      false,
      true,
      false,
    ]);
    expect(position.latest).toBe(idAt(5, 2));
  });

  test("is as short as an id, however much was told", () => {
    const ids = Array.from({ length: 5000 }, (_, n) => idAt(n, n + 1));
    expect(makePosition(ids[0]!, ids).text().length).toBeLessThan(70);
  });

  test("of which nothing came late has nothing untold", () => {
    fc.assert(
      fc.property(someIds, (ids) => {
        expect(untold(told(ids), ids)).toEqual([]);
      }),
    );
  });

  test("finds the one that came late", () => {
    fc.assert(
      fc.property(someIds, fc.nat(), (ids, pick) => {
        const late = ids[pick % ids.length]!;
        const before = ids.filter((id) => id !== late);
        fc.pre(before.length > 0 && late < before.at(-1)! && late >= lateFrom(before.at(-1)!));
        expect(untold(told(before), ids)).toEqual([late]);
      }),
    );
  });

  test("tells all of the last seconds again where the late one's random part is another's as well", () => {
    const ids = [idAt(1, 7), idAt(2, 3), idAt(3, 7)];
    expect(untold(told([ids[1]!, ids[2]!]), ids)).toEqual(ids);
  });

  test("misses none of several that came late: then all of the last seconds are told again", () => {
    fc.assert(
      fc.property(
        someIds,
        fc.array(fc.boolean(), { minLength: 60, maxLength: 60 }),
        (ids, isLate) => {
          const before = ids.filter((_, n) => !isLate[n] || n === ids.length - 1);
          const position = told(before);
          const missing = ids.filter(
            (id) => !before.includes(id) && id >= lateFrom(position.latest),
          );
          expect(untold(position, ids)).toEqual(expect.arrayContaining(missing));
        },
      ),
    );
  });

  test.each([
    "",
    "x",
    "2026-01-01T00:00:00.000Z",
    `${idAt(0, 1)}~1~zz`,
    `${idAt(0, 1)}~-1~000000000001`,
  ])("%j is none", (text) => {
    expect(readPosition(text)).toBeUndefined();
  });
});
