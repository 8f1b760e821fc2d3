import { expect, test, vi } from "vitest";
import { AppError } from "../../control-plane/domain/app-error.ts";
import { TableConflict } from "../../control-plane/ports/table.ts";
import { groupEvent, groupPlay } from "../support/group-play.ts";
import { memoryWorld } from "../support/memory-world.ts";
import { fc } from "../support/property.ts";
import { violationsOf } from "../support/violations-of.ts";

/** More for a longer look: PUMICE_RUNS=2000. */
const RUNS = Number(process.env["PUMICE_RUNS"] ?? 25);

// Groups of three jobs are too large for one transaction, and what a crash has cut short is ended at once.
vi.mock(import("../../control-plane/domain/in-parts.ts"), async (original) => {
  const MOST_AT_ONCE = 9;
  const howManyFit = (lists: readonly (readonly unknown[])[], beside: number): number => {
    let left = MOST_AT_ONCE - beside;
    const first = lists.findIndex((list) => (left -= list.length) < 0);
    return first === -1 ? lists.length : Math.max(1, first);
  };
  return { ...(await original()), MOST_AT_ONCE, howManyFit, PHASE_MS: 500 };
});

test("whatever happens, and wherever the process dies: no group that begins in parts begins by halves, keeps what it has not begun with, or waits for ever", async () => {
  const lab = fc.record({
    limits: fc.tuple(fc.constantFrom(0, 0, 2, 3), fc.constantFrom(0, 0, 2)),
    workers: fc.array(fc.nat(1), { minLength: 5, maxLength: 5 }),
    seed: fc.nat(1_000_000),
  });
  const property = fc.asyncProperty(
    lab,
    fc.array(groupEvent, { minLength: 10, maxLength: 50 }),
    async (plan, events) => {
      const world = await memoryWorld(isRefusal, plan.seed);
      try {
        const play = await groupPlay(world, plan);
        for (const step of events) {
          await world.run(() => play.do(step));
          await play.check();
        }
        await play.bringToAnEnd();
        expect(await violationsOf(world.deps, world.admin)).toEqual([]);
      } finally {
        world.close();
      }
    },
  );
  const seed = process.env["PUMICE_SEED"];
  const options = { numRuns: RUNS, ...(seed === undefined ? {} : { seed: Number(seed) }) };
  await expect(fc.assert(property, options)).resolves.toBeUndefined();
}, 3_600_000);

const isRefusal = (error: unknown): boolean =>
  error instanceof AppError && error.code !== "unavailable" && !(error instanceof TableConflict);
