import type { Latencies } from "./latencies.ts";
import type { LightClient } from "./load-http.ts";
import type { Engine, Plane } from "./load-plane.ts";

export interface LoadOptions {
  readonly engine: Engine;
  readonly seconds: number;
  readonly workers: number;
  /** Jobs submitted each second. */
  readonly rate: number;
  readonly followers: number;
  readonly readers: number;
  /** How long a job takes, beside its reports. */
  readonly jobMs: number;
  readonly say: (line: string) => void;
}

export interface Trial {
  readonly options: LoadOptions;
  readonly plane: Plane;
  readonly client: LightClient;
  readonly times: Latencies;
  readonly errors: Map<string, number>;
  readonly submitted: number[];
  /** When each job was taken, until it begins. */
  readonly waits: Map<number, number>;
  readonly running: Set<number>;
  readonly ended: Set<number>;
}

export function note(errors: Map<string, number>, what: string): void {
  if (errors.size < 50 || errors.has(what)) errors.set(what, (errors.get(what) ?? 0) + 1);
}

export function failed({ errors }: Trial, what: string, error: unknown): void {
  // Numbers differ each time.
  const text = String(error).replace(/\d+/g, "N").slice(0, 200);
  note(errors, `${what}: ${text}`);
}
