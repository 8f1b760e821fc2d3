import type { JobDefinition } from "#protocol/job-definition.ts";
import type {
  Group,
  GroupAnswer,
  GroupCall,
  MultinodeSettings,
} from "../../worker/pipeline/group.ts";

/** What makes a definition that of a group's member: keys that only the control plane writes, which no submitted one has. */
export const aMember = (settings: Partial<MultinodeSettings> = {}): Partial<JobDefinition> => ({
  protocols: { "lava-multinode": { role: "client", ...settings } } as unknown as NonNullable<
    JobDefinition["protocols"]
  >,
});

export interface StandInGroup extends Group {
  readonly calls: readonly GroupCall[];
  /** Seconds that the calls were given, `start` first. */
  readonly seconds: readonly number[];
  readonly isFinished: boolean;
}

/** A group of a job that answers as the test says: for what a real one can't be asked to do, and for what is to be known of the calls. */
export function standInGroup({
  roles = { "7": "client", "8": "server" },
  starts = "started",
  answers = () => ({ kind: "ack", data: new Map() }),
}: {
  roles?: Readonly<Record<string, string>>;
  starts?: "started" | "timeout";
  answers?: (call: GroupCall) => GroupAnswer | Promise<GroupAnswer>;
} = {}): StandInGroup {
  const calls: GroupCall[] = [];
  const seconds: number[] = [];
  let known = new Map<string, string>();
  let isFinished = false;
  return {
    calls,
    seconds,
    get isFinished() {
      return isFinished;
    },
    get roles() {
      return known;
    },
    start: async ({ timeoutSeconds }) => {
      seconds.push(timeoutSeconds);
      if (starts === "started") known = new Map(Object.entries(roles));
      return starts;
    },
    call: async (call, { timeoutSeconds }) => {
      calls.push(call);
      seconds.push(timeoutSeconds);
      return answers(call);
    },
    finish: async () => void (isFinished = true),
  };
}

/** What members have sent, by job id: `{"8": {port: "1"}}`. */
export const acked = (
  data: Readonly<Record<string, Readonly<Record<string, string>>>>,
): GroupAnswer => ({
  kind: "ack",
  data: new Map(
    Object.entries(data).map(([sender, pairs]) => [sender, new Map(Object.entries(pairs))]),
  ),
});
