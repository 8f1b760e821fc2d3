import { setTimeout as sleep } from "node:timers/promises";
import type { Transport } from "../../../worker/console/transport.ts";
import { makeNoise, type NoiseRates, type Piece } from "./noise.ts";

export interface LineNoise {
  readonly seed: number;
  /** Of what the DUT says. */
  readonly toRunner: NoiseRates;
  /** Of what is typed. */
  readonly toDut: NoiseRates;
}

export interface LineHooks {
  /** The noise wants the DUT to be reset. */
  readonly onReset?: () => void;
  /** Sees what the DUT says before any noise; what it returns takes its place. */
  readonly tap?: (bytes: Uint8Array) => Uint8Array;
}

/**
 * What the issue calls noise, times `factor`: one kernel message per 200 characters, one dropped, doubled or damaged
 * character per 2,000, both ways, and a little of all else.
 */
export const typicalNoise = (seed: number, factor = 1): LineNoise => {
  const per = (characters: number): number => (factor === 0 ? 0 : characters / factor);
  const damage = { drop: per(6000), double: per(6000), corrupt: per(6000) };
  return {
    seed,
    toRunner: {
      ...damage,
      printk: per(200),
      ansi: per(5000),
      nul: per(5000),
      invalid: per(5000),
      lineEnd: per(200),
      delay: per(3000),
      stall: per(100_000),
    },
    toDut: { ...damage, delay: per(1000) },
  };
};

/** A console behind a noisy line. What is late keeps its order; its end comes after all that was said. */
export function noisyTransport(
  inner: Transport,
  { seed, toRunner, toDut }: LineNoise,
  { onReset = () => {}, tap = (bytes) => bytes }: LineHooks = {},
): Transport {
  const said = makeNoise(seed, toRunner);
  const typed = makeNoise(seed ^ 0x5eed, toDut);
  const closed = new AbortController();
  const arriving = inOrder(closed.signal, onReset);
  const leaving = inOrder(closed.signal, onReset);
  return {
    onData: (listener) => {
      inner.onData((bytes) => {
        const clean = tap(bytes);
        // What comes may lie in memory that is used again.
        if (clean.length > 0) void arriving(said.take(Uint8Array.from(clean)), listener);
      });
    },
    onEnd: (listener) => {
      inner.onEnd((why) => void arriving([], () => {}).then(() => listener(why)));
    },
    write: (bytes) => leaving(typed.take(bytes), (piece) => inner.write(piece)),
    close: () => {
      closed.abort();
      return inner.close();
    },
  };
}

type Deliver = (bytes: Uint8Array) => void | Promise<void>;

/** Delivers pieces one after the other, at once when none before has to wait. */
function inOrder(
  closed: AbortSignal,
  onReset: () => void,
): (pieces: readonly Piece[], deliver: Deliver) => Promise<void> {
  let waiting = 0;
  let last: Promise<void> = Promise.resolve();
  const deliverAll = async (pieces: readonly Piece[], deliver: Deliver): Promise<void> => {
    for (const piece of pieces) {
      if ("bytes" in piece) {
        const written = deliver(piece.bytes);
        if (written) await written;
      } else if ("pauseMs" in piece) {
        await sleep(piece.pauseMs, undefined, { signal: closed }).catch(() => {});
      } else onReset();
    }
  };
  return (pieces, deliver) => {
    const before = last;
    const delivered =
      waiting === 0
        ? deliverAll(joined(pieces), deliver)
        : before.catch(() => {}).then(() => deliverAll(joined(pieces), deliver));
    waiting += 1;
    last = delivered.finally(() => (waiting -= 1));
    last.catch(() => {});
    return delivered;
  };
}

/** Neighbouring bytes as one: a listener has less to do. */
function joined(pieces: readonly Piece[]): Piece[] {
  const out: Piece[] = [];
  let run: Uint8Array[] = [];
  const end = (): void => {
    if (run.length > 0)
      out.push({ bytes: run.length === 1 ? (run[0] as Uint8Array) : Buffer.concat(run) });
    run = [];
  };
  for (const piece of pieces) {
    if ("bytes" in piece) run.push(piece.bytes);
    else {
      end();
      out.push(piece);
    }
  }
  end();
  return out;
}
