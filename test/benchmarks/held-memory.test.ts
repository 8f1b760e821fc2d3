import { expect, test } from "vitest";
import { heldKib } from "../../scripts/benchmarks/table/held-memory.ts";

/** As `/proc/PID/smaps` has a mapping; what is shared is shared with anybody. */
const mapping = (what: string, own: number, shared: number): string =>
  [
    `${what}`,
    `Rss:  ${own + shared} kB`,
    "Pss:                   1 kB",
    `Shared_Clean:       ${shared} kB`,
    "Shared_Dirty:          0 kB",
    "Private_Clean:         0 kB",
    `Private_Dirty:      ${own} kB`,
  ].join("\n");
const file = (address: number, offset: number): string =>
  `${address}000-${address + 1}000 r-xp ${offset}000 fe:00 260386                     /usr/bin/worker`;

test("a process holds all that is resident, whoever else has the same file open", () => {
  const map = [mapping(file(5, 0), 8, 100), mapping("7000-8000 rw-p 00000000 00:00 0 ", 30, 0)];
  expect(heldKib([map.join("\n")])).toBe(138);
});

test("what two processes have of one piece of a file counts once, as the larger of both", () => {
  const agent = [mapping(file(5, 0), 8, 100), mapping(file(6, 1), 0, 5)].join("\n");
  const runner = [mapping(file(7, 0), 2, 160), mapping(file(8, 1), 0, 3)].join("\n");
  expect(heldKib([agent, runner])).toBe(8 + 2 + 160 + 5);
});

test("memory without a file is shared where it was before a fork, not by its name", () => {
  const heap = (address: string, shared: number): string =>
    mapping(`${address}-ffff0000 rw-p 00000000 00:00 0                          [heap]`, 1, shared);
  expect(heldKib([heap("1000", 50), heap("1000", 40)])).toBe(52);
  expect(heldKib([heap("1000", 50), heap("2000", 40)])).toBe(92);
});
