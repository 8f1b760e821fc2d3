import { JobFailure } from "../pipeline/job-failure.ts";
import type { Console } from "./console.ts";

/** So many attempts to type a line are looked at. */
const RECENT = 20;
/** Noise of factor 1 (docs/noise.md) damages one in nine; a line that damages more than this of them is no line to work on. */
const MAX_DAMAGED = 0.25;
/** Fewer are chance. */
const MIN_DAMAGED = 3;

const recent = new WeakMap<Console, boolean[]>();

/** A line was typed at who echoes; whether it came back as it was. */
export function lineCameBack(console: Console, isWhole: boolean): void {
  const attempts = recent.get(console) ?? [];
  recent.set(console, attempts);
  attempts.push(isWhole);
  if (attempts.length > RECENT) attempts.shift();
}

/** How noisy a console's line is, for people, when it is so noisy that what was typed at last may have done anything. */
export function noiseOn(console: Console): string | undefined {
  const attempts = recent.get(console) ?? [];
  const damaged = attempts.filter((isWhole) => !isWhole).length;
  if (damaged < MIN_DAMAGED || damaged <= MAX_DAMAGED * attempts.length) return undefined;
  return `this line is too noisy: of the last ${attempts.length} times that something was typed it came back damaged ${damaged} times (look at the cable, its speed and flow control, and at what the kernel prints on its console)`;
}

/** The failure of who can type nothing any more, Infrastructure. */
export function tooNoisy(console: Console, what: string): JobFailure {
  const why = noiseOn(console) ?? "this line is too noisy";
  const evidence = { line: console.lastLogLine };
  return new JobFailure("Infrastructure", `${what}: ${why}`, { evidence });
}

/** Has the failure of a wait that follows what was typed say that the line is too noisy, when it is. */
export async function blamingNoise<T>(console: Console, wait: Promise<T>): Promise<T> {
  try {
    return await wait;
  } catch (error) {
    const noise = noiseOn(console);
    if (noise !== undefined && error instanceof JobFailure) error.blameLine(noise);
    throw error;
  }
}
