import type { RunContext } from "../../pipeline/action.ts";
import { JobFailure } from "../../pipeline/job-failure.ts";
import { consoleSlot, guestDriveSlot, overlaySlot, promptsSlot } from "../../pipeline/job-slots.ts";
import type { TestStrategy } from "../../pipeline/strategy.ts";
import { runStage } from "./run-stage.ts";

/** `test: definitions` in the DUT's own shell (DISPATCHER.md 13). */
export const definitionTest: TestStrategy = {
  family: "test",
  name: "definition",
  refuses: (block) => {
    if (block.definitions === undefined) return "the block has no definitions";
    return block["docker"] === undefined ? undefined : "the block asks for a container";
  },
  action: (_block, { stage }) => ({
    name: "lava-test-retry",
    retries: true,
    steps: [
      {
        name: "lava-test-shell",
        needs: [consoleSlot, overlaySlot, promptsSlot],
        onTimeout: "LAVATimeout",
        run: (context) => runOnDut(context, stage),
      },
    ],
  }),
};

async function runOnDut(context: RunContext, stage: number): Promise<void> {
  const { slots, connection, job } = context;
  const console = connection.find(consoleSlot);
  if (!console) throw new JobFailure("Job", "No connection to the DUT");
  console.characterDelayMs = Number(job.device.character_delays?.test ?? 0);
  await runStage(context, {
    console,
    prompts: connection.take(promptsSlot),
    overlay: slots.take(overlaySlot),
    stage,
    mountCommands: slots.find(guestDriveSlot)?.mountCommands ?? [],
  });
}
