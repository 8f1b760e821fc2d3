import type { RunContext } from "../../pipeline/action.ts";
import { JobFailure } from "../../pipeline/job-failure.ts";
import { testShell } from "../../overlay/test-shell.ts";
import {
  consoleSlot,
  guestDriveSlot,
  overlaySlot,
  type Overlay,
} from "../../pipeline/job-slots.ts";
import type { TestStrategy } from "../../pipeline/strategy.ts";
import { currentPrompts } from "../login/prompt-patterns.ts";
import { runStage } from "./run-stage.ts";

/** `test: definitions` in the DUT's own shell (DISPATCHER.md 13). */
export const definitionTest: TestStrategy = {
  family: "test",
  name: "definition",
  refuses: (block) => {
    if (block.definitions === undefined) return "the block has no definitions";
    return block["docker"] === undefined ? undefined : "the block asks for a container";
  },
  action: (_block, { stage, job }) => {
    const shell = {
      needs: [consoleSlot],
      run: (context: RunContext) => runOnDut(context, stage),
    };
    // What other devices wait for can't be done again (DISPATCHER.md 13).
    if (job.definition.protocols?.["lava-multinode"] !== undefined) {
      return { ...shell, name: "multinode-test", onTimeout: "Test" };
    }
    return {
      name: "lava-test-retry",
      retries: true,
      steps: [{ ...shell, name: "lava-test-shell", onTimeout: "LAVATimeout" }],
    };
  },
};

async function runOnDut(context: RunContext, stage: number): Promise<void> {
  const { slots, connection } = context;
  const console = connection.find(consoleSlot);
  if (!console) throw new JobFailure("Job", "No connection to the DUT");
  await runStage(context, {
    console,
    prompts: currentPrompts(connection),
    overlay: slots.find(overlaySlot) ?? overlayOfAnother(context),
    stage,
    mountCommands: slots.find(guestDriveSlot)?.mountCommands ?? [],
  });
}

/** A deployment of another namespace, or of another job, may have put it there: the DUT will tell. */
function overlayOfAnother({ job, namespace, log }: RunContext): Overlay {
  log.warning(`no deployment of namespace ${namespace} made an overlay: the DUT must have it`);
  return { ...testShell(job, undefined), root: "", sourceDir: "", stages: [] };
}
