import { refusal } from "../../host/device-methods.ts";
import type { Action } from "../../pipeline/action.ts";
import { JobFailure } from "../../pipeline/job-failure.ts";
import type { BootStrategy } from "../../pipeline/strategy.ts";
import { loginSteps } from "../login/login.ts";
import { resetDevice } from "../power/reset-device.ts";

/**
 * LAVA's plan for a device that its nodebooter container starts (DISPATCHER.md 12), for who compares plans. What the
 * container is told is documented nowhere that we know, so a job is refused before anything is touched.
 */
export const nodebooterBoot: BootStrategy = {
  family: "boot",
  name: "nodebooter",
  refuses: ({ method }, job) => refusal("boot", "nodebooter", method, job),
  action: (block, context) => ({
    name: "boot-nodebooter",
    retries: true,
    steps: [
      { name: "run-nodebooter-container", validate: refuse },
      { name: "configure-nodebooter" },
      resetDevice(context.job),
      ...withoutShell(loginSteps(block, context)),
    ],
  }),
};

const refuse = async (): Promise<void> => {
  throw new JobFailure("Job", "boot method nodebooter can't be run by this worker");
};

const withoutShell = (steps: readonly Action[]): Action[] =>
  steps.filter(({ name }) => ["auto-login-action", "overlay-unpack"].includes(name));
