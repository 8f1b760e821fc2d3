import type { BootBlock } from "#protocol/job-actions.ts";
import { avhLogin } from "../../drivers/flashers/avh-api.ts";
import { avhFirmwareSlot, avhToken } from "../../drivers/flashers/avh-settings.ts";
import { refusal } from "../../host/device-methods.ts";
import { webSocketTransport } from "../../drivers/web-socket-transport.ts";
import type { Action, RunContext } from "../../pipeline/action.ts";
import { consoleSlot } from "../../pipeline/job-slots.ts";
import type { BootStrategy } from "../../pipeline/strategy.ts";
import { openConsole } from "../connection/open-console.ts";
import { loginSteps } from "../login/login.ts";

/** A board in Arm Virtual Hardware, started from the uploaded firmware (DISPATCHER.md 12). */
export const avhBoot: BootStrategy = {
  family: "boot",
  name: "avh",
  refuses: ({ method }, job) => refusal("boot", "avh", method, job),
  action: (block, context) => ({
    name: "boot-avh",
    retries: true,
    needs: [avhFirmwareSlot],
    gives: [consoleSlot],
    steps: [callAvh(block), ...loginSteps(block, context)],
  }),
};

/** Makes an instance, and a console of its web socket. It is deleted when the job ends or the boot is tried again. */
function callAvh(block: BootBlock): Action {
  return {
    name: "call-avh",
    needs: [avhFirmwareSlot],
    gives: [consoleSlot],
    validate: async ({ job, log }) => {
      avhToken(job);
      if (block["docker"] !== undefined) {
        log.debug("docker: the worker speaks to the console's web socket itself");
      }
    },
    run: (context) => start(context, block),
  };
}

async function start(context: RunContext, block: BootBlock): Promise<void> {
  const { job, level, slots, signal, log, defer } = context;
  const { endpoint, projectId, model, version, image } = slots.take(avhFirmwareSlot);
  const { normal, restore } = (block["bootargs"] ?? {}) as Record<string, unknown>;
  const textOrNone = (value: unknown): string | undefined =>
    value === undefined ? undefined : String(value);
  const api = await avhLogin(endpoint, avhToken(job), signal);
  const instance = await api.create({
    name: `lava-avh-${job.jobId}-${level}`,
    project: projectId,
    model,
    version,
    image,
    bootArgs: textOrNone(normal),
    restoreBootArgs: textOrNone(restore),
  });
  defer(async () => {
    log.debug(`deleting instance ${instance}`);
    await api.remove("instances", instance);
  });
  log.info(`instance ${instance} of ${model} is starting`);
  await api.untilOn(instance);
  openConsole(context, await webSocketTransport(await api.consoleUrl(instance), signal));
}
