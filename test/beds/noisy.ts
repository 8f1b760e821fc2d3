import { execFile } from "node:child_process";
import type { Bed } from "./bed.ts";
import { startGuestBoard } from "./noisy/guest-dut.ts";
import type { NoiseRates } from "./noisy/noise.ts";
import { typicalNoise, type LineNoise } from "./noisy/noisy-transport.ts";
import { startNoisyWire } from "./noisy/noisy-wire.ts";

/**
 * A guest in QEMU behind a noisy wire. `PUMICE_NOISE` says which noise: `seed=7 factor=2 printk=100 drop=0`, rates by
 * their names (docs/noise.md), `typed.drop=500` for what is typed.
 */
export async function start(folder: string, say: (line: string) => void): Promise<Bed> {
  const noise = noiseOf(process.env["PUMICE_NOISE"] ?? "");
  const board = await startGuestBoard(folder, say);
  const press = (command: string): void => {
    const [program = "", ...args] = command.split(" ");
    execFile(program, args, () => {});
  };
  const wire = await startNoisyWire(board.consolePort, noise, {
    onReset: () => {
      say("the noise resets the guest");
      press(board.hardReset);
    },
  });
  return {
    dictionary: `{% extends 'base.jinja2' %}
{% set connection_command = 'tcp://127.0.0.1:${wire.port}' %}
{% set hard_reset_command = '${board.hardReset}' %}
{% set power_on_command = '${board.powerOn}' %}
{% set power_off_command = '${board.powerOff}' %}
`,
    hints: [
      `Its console: nc 127.0.0.1 ${wire.port}`,
      `Switch it on: ${board.powerOn}`,
      `Its noise: ${JSON.stringify(noise)}; again: PUMICE_NOISE="seed=${noise.seed} ..."`,
    ],
    close: async () => {
      await wire.close();
      await board.close();
    },
  };
}

/** @throws for a word that is no rate. */
export function noiseOf(words: string): LineNoise {
  const pairs = words.split(/[\s,]+/).filter(Boolean);
  const values = new Map(
    pairs.map((pair) => {
      const [, name = "", value = ""] = /^([\w.]+)=([\d.]+)$/.exec(pair) ?? [];
      if (name === "") throw new Error(`PUMICE_NOISE: ${pair}: expected NAME=NUMBER`);
      return [name, Number(value)] as const;
    }),
  );
  const taken = (name: string, fallback: number): number => {
    const value = values.get(name) ?? fallback;
    values.delete(name);
    return value;
  };
  const noise = typicalNoise(taken("seed", 1), taken("factor", 1));
  const toRunner: Record<string, number> = { ...noise.toRunner };
  const toDut: Record<string, number> = { ...noise.toDut };
  const known: Record<keyof NoiseRates, true> = {
    ...{ printk: true, ansi: true, nul: true, invalid: true, burst: true, delay: true },
    ...{ stall: true, reset: true, lineEnd: true, drop: true, double: true, corrupt: true },
  };
  for (const [name, value] of values) {
    const [rates, rate] = name.startsWith("typed.") ? [toDut, name.slice(6)] : [toRunner, name];
    if (!Object.hasOwn(known, rate)) {
      throw new Error(
        `PUMICE_NOISE: ${name}: expected seed, factor or ${Object.keys(known).join(", ")}`,
      );
    }
    rates[rate] = value;
  }
  return { seed: noise.seed, toRunner, toDut };
}
