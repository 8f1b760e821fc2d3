import { setTimeout as sleep } from "node:timers/promises";
import { killNow } from "../../worker/host/process-table.ts";
import type { ChaosPlane } from "./chaos-plane.ts";
import type { ChaosWorker } from "./chaos-worker.ts";
import type { Dice } from "./dice.ts";
import { BREAKS } from "./worker-network.ts";

/** What may be broken. */
export interface Breakable {
  readonly plane: ChaosPlane;
  readonly workers: readonly ChaosWorker[];
  /** Somebody wants a job no more. */
  readonly cancelAny: (dice: Dice) => Promise<string>;
}

/** One thing that goes wrong, as it was drawn; what it hits is seen when it strikes. */
export interface Fault {
  readonly name: string;
  /** Of which only one is at work at a time. */
  readonly place: string;
  /** Breaks it, and mends it some time later; says what was done. */
  readonly strike: (say: (what: string) => void) => Promise<void>;
}

type Make = (lab: Breakable, worker: ChaosWorker, dice: Dice) => Fault | undefined;

/** By name: how often it is drawn, and what it does. Chance is used up when a fault is drawn, so that a seed means the same faults. */
const FAULTS: Record<string, { weight: number; make: Make }> = {
  "server dies": {
    weight: 3,
    make({ plane }, _, dice) {
      const ms = dice.between(100, 4000);
      return {
        ...{ name: "kill -9 of the server", place: "server" },
        async strike(say) {
          await plane.kill();
          say(`gone for ${Math.round(ms)} ms`);
          await sleep(ms);
          await plane.start();
        },
      };
    },
  },
  "agent dies": {
    weight: 3,
    make: (_, worker, dice) => whileDown(worker, dice, "kill -9 of agent", () => worker.kill()),
  },
  "machine loses power": {
    weight: 2,
    make: (_, worker, dice) => whileDown(worker, dice, "power loss of", () => worker.losePower()),
  },
  "runner dies": {
    weight: 3,
    make: (_, worker, dice) =>
      killed(worker, dice, "kill -9 of a runner of", () => worker.runners()),
  },
  "DUT resets": {
    weight: 3,
    make: (_, worker, dice) => killed(worker, dice, "reset of a DUT of", () => worker.started()),
  },
  network: {
    weight: 10,
    make: (_, worker, dice) => onWire(worker, dice),
  },
  "disk is full": {
    weight: 2,
    make(_, worker, dice) {
      const ms = dice.between(500, 6000);
      if (!worker.hasDisk) return undefined;
      return {
        ...{ name: `full disk of ${worker.name}`, place: `disk of ${worker.name}` },
        async strike(say) {
          worker.fillDisk();
          say(`for ${Math.round(ms)} ms`);
          await sleep(ms);
          worker.freeDisk();
        },
      };
    },
  },
  "clock jumps": {
    weight: 2,
    make(_, worker, dice) {
      const seconds = Math.round(dice.between(-86_400, 86_400));
      const ms = dice.between(1000, 8000);
      const { clock } = worker;
      return clock && jump(`clock of ${worker.name}`, clock, seconds, ms);
    },
  },
  // As far as a machine's clock goes wrong that asks for the time: by more, workers have been silent for so long.
  "server's clock jumps": {
    weight: 1,
    make({ plane }, _, dice) {
      const seconds = Math.round(dice.between(-45, 45));
      const ms = dice.between(1000, 5000);
      return plane.clock && jump("clock of the server", plane.clock, seconds, ms);
    },
  },
  "services fail": {
    weight: 8,
    make({ plane }, _, dice) {
      const fault = plane.drawServiceFault?.(dice);
      // No longer: a call that is seldom made would fail for minutes, if so many of its requests were to.
      const ms = dice.between(300, 8000);
      if (!fault) return undefined;
      return {
        ...{ name: "services under the lab", place: "services" },
        async strike(say) {
          fault.begin();
          say(`${fault.what} for ${Math.round(ms)} ms`);
          await sleep(ms);
          plane.heal();
        },
      };
    },
  },
  "somebody cancels": {
    weight: 2,
    make: (lab, _, dice) => ({
      ...{ name: "a job is canceled", place: "people" },
      strike: async (say) => say(await lab.cancelAny(dice)),
    }),
  },
};

/** The next fault; undefined where this machine or engine can't do what was drawn. */
export function drawFault(lab: Breakable, dice: Dice): Fault | undefined {
  const all = Object.values(FAULTS).flatMap(({ weight, make }) =>
    Array.from({ length: weight }, () => make),
  );
  const make = dice.of(all);
  return make(lab, dice.of(lab.workers), dice);
}

function whileDown(worker: ChaosWorker, dice: Dice, name: string, end: () => Promise<void>): Fault {
  const ms = dice.between(100, 6000);
  return {
    ...{ name: `${name} ${worker.name}`, place: worker.name },
    async strike(say) {
      await end();
      say(`gone for ${Math.round(ms)} ms`);
      await sleep(ms);
      worker.start();
    },
  };
}

function killed(worker: ChaosWorker, dice: Dice, name: string, pids: () => number[]): Fault {
  const chance = dice.roll();
  return {
    ...{ name: `${name} ${worker.name}`, place: `jobs of ${worker.name}` },
    async strike(say) {
      const found = pids();
      const pid = found[Math.floor(chance * found.length)];
      if (pid === undefined) return say("there was none");
      killNow(pid);
      say(`process ${pid}, one of ${found.length}`);
    },
  };
}

function onWire({ name, network }: ChaosWorker, dice: Dice): Fault | undefined {
  const how = dice.of(BREAKS);
  const [chance, ms] = [dice.roll(), dice.between(200, 10_000)];
  const { [how]: break_ } = network.breaks;
  return (
    break_ && {
      ...{ name: `network of ${name} ${how}`, place: `network of ${name}` },
      async strike(say) {
        await break_(chance);
        say(`for ${Math.round(ms)} ms`);
        await sleep(ms);
        await network.mend();
      },
    }
  );
}

function jump(place: string, clock: { set(s: number): void }, seconds: number, ms: number): Fault {
  return {
    ...{ name: `${place} jumps`, place },
    async strike(say) {
      clock.set(seconds);
      say(`by ${seconds} s for ${Math.round(ms)} ms`);
      await sleep(ms);
      clock.set(0);
    },
  };
}
