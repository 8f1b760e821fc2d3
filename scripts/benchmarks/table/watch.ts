import { heldBy } from "./held-memory.ts";
import { cpuSecondsOf, ownSecondsOf, type Process } from "./process-tree.ts";
import type { Side } from "./sides.ts";

/** Who runs beside a worker's agent. */
export type Role = "agent" | "runner" | "dut";

export interface Used {
  readonly cpuSeconds: Readonly<Record<Role | "server", number>>;
  /** The most at one time, MiB that they hold (held-memory.ts); `worker`: agent and runner, what both share counted once. */
  readonly mostMib: Readonly<Record<Role | "worker", number>>;
}

/** What is looked at costs a few ms itself. */
const LOOK_MS = 100;

/**
 * What a lab's processes use while `work` runs. A DUT ends within it, so its figure is of the last look: up to 100 ms of it count for the runner,
 * as do the programs that a runner calls.
 */
export async function watched<T>(side: Side, work: () => Promise<T>): Promise<[T, Used]> {
  const server = cpuSecondsOf(side.server());
  const before = side.bench();
  const known = new Map(before.map((one) => [keyOf(one), one]));
  const seen = new Map<string, { role: Role; seconds: number }>();
  const most = { agent: 0, runner: 0, dut: 0, worker: 0 };
  const look = (): void => {
    const roles = side.roles();
    for (const [one, role] of roles) {
      const key = keyOf(one);
      // One that is ending has no command line any more by which it would be known.
      const isDut = seen.get(key)?.role === "dut";
      const seconds = ownSecondsOf(one, known.get(key));
      seen.set(key, { role: isDut ? "dut" : role, seconds });
    }
    const held = (...some: Role[]): number =>
      heldBy(roles.flatMap(([one, role]) => (some.includes(role) ? [one] : [])));
    for (const role of ["agent", "runner", "dut"] as const) {
      most[role] = Math.max(most[role], held(role));
    }
    most.worker = Math.max(most.worker, held("agent", "runner"));
  };
  const timer = setInterval(look, LOOK_MS);
  try {
    const result = await work();
    look();
    const cpu = { agent: 0, runner: 0, dut: 0 };
    for (const { role, seconds } of seen.values()) cpu[role] += seconds;
    // What was seen lacks who came and went between two looks, and what parents waited for lacks those whose parent had gone: the larger is nearer.
    const waited = cpuSecondsOf(side.bench()) - cpuSecondsOf(before);
    cpu.runner = Math.max(cpu.runner, waited - cpu.agent - cpu.dut);
    const ofServer = cpuSecondsOf(side.server()) - server;
    return [result, { cpuSeconds: { ...cpu, server: ofServer }, mostMib: most }];
  } finally {
    clearInterval(timer);
  }
}

const keyOf = ({ pid, startedAt }: Process): string => `${pid} ${startedAt}`;

/** What a DUT starts is the DUT's. */
export function withRoles(
  processes: readonly Process[],
  roleOf: (one: Process) => Role | undefined,
): [Process, Role][] {
  const roles = new Map<number, Role | undefined>();
  for (const one of processes) {
    roles.set(one.pid, roles.get(one.parent) === "dut" ? "dut" : roleOf(one));
  }
  return processes.flatMap((one) => {
    const role = roles.get(one.pid);
    return role ? [[one, role] as [Process, Role]] : [];
  });
}
