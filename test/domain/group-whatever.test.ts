import { expect, test } from "vitest";
import { AppError } from "../../control-plane/domain/app-error.ts";
import { TableConflict } from "../../control-plane/ports/table.ts";
import { AGENTS, groupEvent, groupPlay } from "../support/group-play.ts";
import { memoryWorld } from "../support/memory-world.ts";
import { fc } from "../support/property.ts";
import { violationsOf } from "../support/violations-of.ts";

/** More for a longer look: PUMICE_RUNS=2000. */
const RUNS = Number(process.env["PUMICE_RUNS"] ?? 25);

test("whatever happens, and wherever the process dies: no group begins by halves, none waits for ever, each message arrives, and nobody passes a meeting before all are there", async () => {
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
        const found = () => violationsOf(world.deps, world.admin);
        expect((await found()).filter(({ rule }) => rule !== "overdue")).toEqual([]);
        await play.bringToAnEnd();
        expect(await found()).toEqual([]);
      } finally {
        world.close();
      }
    },
  );
  const seed = process.env["PUMICE_SEED"];
  const options = { numRuns: RUNS, ...(seed === undefined ? {} : { seed: Number(seed) }) };
  await expect(fc.assert(property, options)).resolves.toBeUndefined();
}, 3_600_000);

test("a group begins at the latest when all that ran at its submission has ended, however many jobs come after it", async () => {
  const world = await memoryWorld(isRefusal);
  try {
    const play = await groupPlay(world, { limits: [0, 0], workers: [0, 1, 0, 1, 0] });
    const single = (type: number) => play.do({ do: "single", type, priority: 1 });
    const syncAll = async () => {
      for (const agent of AGENTS) await world.run(() => play.do({ do: "sync", agent, nth: 0 }));
    };
    await syncAll();
    for (const type of [0, 0, 0, 1, 1, 0, 1]) await world.run(() => single(type));
    await syncAll();
    const before = (await world.jobs()).filter(({ state }) => state === "Running");
    expect(before).toHaveLength(5);
    const counts: [number, number] = [2, 2];
    await world.run(() =>
      play.do({ do: "group", counts, isEssential: false, hasGuest: false, priority: 2 }),
    );
    const [first] = (await world.jobs()).filter(({ group }) => group !== undefined);
    for (const { id } of before) {
      for (const type of [0, 1]) await world.run(() => single(type));
      await world.run(() => play.end(id, true));
      await syncAll();
    }
    const group = (await world.jobs()).filter((job) => job.group === first!.group);
    expect(group.map(({ state }) => state)).toEqual(group.map(() => "Running"));
  } finally {
    world.close();
  }
});

const isRefusal = (error: unknown): boolean =>
  error instanceof AppError && error.code !== "unavailable" && !(error instanceof TableConflict);
