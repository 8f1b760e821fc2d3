import type { GuestTicket } from "../host/guest-memory.ts";
import type { AgentLimits } from "./agent-limits.ts";
import type { Clock } from "./clock.ts";
import type { ControlPlaneCalls } from "./control-plane.ts";

/** What every part of the agent works with. */
export interface AgentDeps {
  readonly controlPlane: ControlPlaneCalls;
  readonly clock: Clock;
  readonly workDir: string;
  readonly limits: AgentLimits;
  /** Memory that the guest of a ticket's job may take as a process of this worker, in bytes; absent where nobody counts. */
  readonly guestMemory?: ((ticket: GuestTicket) => number) | undefined;
  /** Command line of the program that runs the job of a folder. */
  readonly runnerCommand: (jobFolder: string) => [command: string, ...args: string[]];
  /** Told of each job before its runner begins, also of those that an earlier agent left. */
  readonly jobBegins?: ((ticket: { readonly job_id: number }) => void) | undefined;
  /** Whether a person's console still has a device. */
  readonly hasConsole?: ((hostname: string) => boolean) | undefined;
  /** Command line of the program that switches off what the killed runner of a folder's job left on. */
  readonly cleanUpCommand: (jobFolder: string) => [command: string, ...args: string[]];
  /** One line for the person who looks after the worker. */
  readonly log: (line: string) => void;
  /** Nothing is to be done here any more, for now. */
  readonly isIdle?: (() => void) | undefined;
  /** Something changed that the control plane should hear of, or may know more of: sync at once. */
  readonly changed: () => void;
}
