import type { BootBlock } from "#protocol/job-actions.ts";
import { containerClient } from "../../drivers/container-client.ts";
import { readFvpBlock } from "../../drivers/flashers/fvp.ts";
import { refusal } from "../../host/device-methods.ts";
import type { Action } from "../../pipeline/action.ts";
import { JobFailure } from "../../pipeline/job-failure.ts";
import { consoleSlot } from "../../pipeline/job-slots.ts";
import type { BootStrategy, StrategyContext } from "../../pipeline/strategy.ts";
import { readFeedback } from "../connection/read-feedback.ts";
import { loginSteps } from "../login/login.ts";
import { checkFvpVersion, connectFvpSerial, runFvp } from "./fvp-run.ts";
import { fvpSlot } from "./fvp-slot.ts";
import { openProgram } from "./fvp-program.ts";

/** A Fixed Virtual Platform of Arm in a container (DISPATCHER.md 12). */
export const fvpBoot: BootStrategy = {
  family: "boot",
  name: "fvp",
  refuses: ({ method }, job) => refusal("boot", "fvp", method, job),
  action: (block, context) => ({
    name: "boot-fvp",
    retries: true,
    gives: [consoleSlot],
    validate: async ({ job }) => {
      readFvpBlock(block, job);
      containerClient(job);
    },
    steps: [
      {
        name: "boot-fvp-main",
        steps: [
          checkFvpVersion(block),
          runFvp(block),
          ...(block["use_telnet"] === false ? [] : [connectFvpSerial(block), readFeedback]),
        ],
      },
      ...shellSteps(block, context),
      ...(block["erpc_app"] === undefined ? [] : [runErpcApp(block)]),
      ...(block.commands === undefined ? [] : [runShellCommands(block)]),
    ],
  }),
};

/** The model's files are on the console's far side already: nothing is exported to its shell. */
function shellSteps(block: BootBlock, context: StrategyContext): Action[] {
  const steps = loginSteps(block, context);
  if (steps.length === 0) return [];
  return [readFeedback, ...steps.filter(({ name }) => name !== "export-device-env")];
}

/** A program of the job that talks to the model; from here on its output is the console. */
function runErpcApp(block: BootBlock): Action {
  return {
    name: "run-fvp-erpc-app",
    needs: [fvpSlot],
    gives: [consoleSlot],
    run: async (context) => {
      const { erpcApp = "" } = readFvpBlock(block, context.job);
      const app = context.slots.take(fvpSlot).files[erpcApp.toUpperCase()];
      if (app === undefined) {
        const message = `boot fvp: erpc_app '${erpcApp}': expected the label of a deployed image`;
        throw new JobFailure("Job", message);
      }
      await openProgram(context, ["sh", "-c", 'chmod +x "$0" && exec "$0"', app]);
    },
  };
}

/** Commands for a shell in the model's container; from here on their output is the console. */
function runShellCommands(block: BootBlock): Action {
  return {
    name: "run-fvp-shell-commands",
    needs: [fvpSlot],
    gives: [consoleSlot],
    run: async (context) => {
      const { commands } = readFvpBlock(block, context.job);
      await openProgram(context, ["sh", "-c", commands.join("\n")]);
    },
  };
}
