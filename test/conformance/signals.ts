import { expect, test } from "vitest";
import type { Signals } from "../../control-plane/ports/signals.ts";
import { lacking } from "../support/lacking.ts";

/**
 * What every engine's signals must do. `onPass` hears of each scheduling pass that is asked for. With `ownBells` a bell
 * has any number of listeners, and jobs have bells as well; without, a worker has one listener at a time.
 */
export function signalsConformance(
  make: (onPass: (deviceType: string) => void) => Promise<Signals>,
  { ownBells }: { ownBells: boolean },
): void {
  const long = 20_000;

  test("a ring between listening and waiting is not lost, and counts once", async () => {
    const signals = await make(() => {});
    const listener = signals.listen("worker/w");
    await signals.ring("worker/w");
    expect(await listener.rung(long)).toBe(true);
    expect(await listener.rung(1)).toBe(false);
    listener.close();
  });

  test("a ring wakes the one who waits, and nobody at another bell", async () => {
    const signals = await make(() => {});
    const [mine, other] = [signals.listen("worker/w"), signals.listen("worker/other")];
    const wait = mine.rung(long);
    await signals.ring("worker/w");
    expect(await wait).toBe(true);
    expect(await other.rung(1)).toBe(false);
    for (const listener of [mine, other]) listener.close();
  });

  test.skipIf(lacking(!ownBells, "a queue gives a message to one listener"))(
    "a ring wakes everybody who waits for that bell, and nobody else (not over SQS: a queue gives a message to one)",
    async () => {
      const signals = await make(() => {});
      const [a, b, other] = [
        signals.listen("job/1"),
        signals.listen("job/1"),
        signals.listen("job/2"),
      ];
      const waits = [a.rung(long), b.rung(long)];
      await signals.ring("job/1");
      expect(await Promise.all(waits)).toEqual([true, true]);
      expect(await other.rung(1)).toBe(false);
      for (const listener of [a, b, other]) listener.close();
    },
  );

  test("a wait ends with its time or with its signal", async () => {
    const signals = await make(() => {});
    const listener = signals.listen("worker/w");
    expect(await listener.rung(1)).toBe(false);
    const controller = new AbortController();
    const wait = listener.rung(long, controller.signal);
    controller.abort();
    expect(await wait).toBe(false);
    expect(await listener.rung(long, controller.signal)).toBe(false);
    listener.close();
  });

  test("ringing where nobody listens is no error", async () => {
    const signals = await make(() => {});
    await expect(signals.ring("worker/nobody")).resolves.toBeUndefined();
    await expect(signals.remove("worker/nobody")).resolves.toBeUndefined();
  });

  test("a pass that is asked for is run, for each device type", async () => {
    const seen: string[] = [];
    let both: () => void;
    const done = new Promise<void>((resolve) => (both = resolve));
    const signals = await make((type) => {
      seen.push(type);
      if (seen.includes("a") && seen.includes("b")) both();
    });
    await signals.requestPass("a");
    await signals.requestPass("b");
    await done;
    expect(seen.toSorted()).toEqual(["a", "b"]);
  });
}
