import type { Action } from "../../pipeline/action.ts";
import { imagesSlot } from "../../pipeline/job-slots.ts";
import { slot } from "../../pipeline/slot.ts";
import type { DeployStrategy } from "../../pipeline/strategy.ts";
import { connectDevice } from "../connection/connect-device.ts";
import { downloadRetry } from "./download-action.ts";

type Mapping = Readonly<Record<string, unknown>>;

/** Files to repair a board with, for a test that flashes them while boot `recovery` holds it (DISPATCHER.md 11). */
export const recoveryDeploy: DeployStrategy = {
  family: "deploy",
  name: "recovery",
  refuses: ({ to }, { device }) => {
    if (to !== "recovery") return `the deployment is to ${to}`;
    const { methods } = device.actions.deploy;
    if (methods && Object.hasOwn(methods, "recovery")) return undefined;
    const offered = Object.keys(methods ?? {});
    return `the device has no deploy method recovery (it has ${offered.join(", ") || "none"})`;
  },
  action: (block, { job }) => {
    const { tags } = (job.device.actions.deploy.methods?.["recovery"] ?? {}) as { tags?: unknown };
    const images = Object.entries((block["images"] ?? {}) as Record<string, Mapping>);
    return {
      name: "deploy-recovery-mode",
      run: async ({ slots }) => slots.clear(imagesSlot),
      steps: [
        ...images.map(([label, image]) => imageSteps(label, image)),
        ...(Array.isArray(tags) && tags.includes("serial") ? [connectDevice] : []),
      ],
    };
  },
};

function imageSteps(label: string, source: Mapping): Action {
  const file = slot<string>(`recovery ${label}`);
  return {
    ...downloadRetry({ label, source }, file),
    gives: [file, imagesSlot],
    runAfter: async ({ slots }) => {
      const deployed = { label, path: slots.take(file), imageArg: undefined };
      slots.put(imagesSlot, new Map([...(slots.find(imagesSlot) ?? []), [label, deployed]]));
    },
  };
}
