import { Console } from "../../console/console.ts";
import { containerClient } from "../../drivers/container-client.ts";
import { processTransport } from "../../drivers/process-transport.ts";
import { filled } from "../../drivers/flashers/run-tool.ts";
import type { RunContext } from "../../pipeline/action.ts";
import { openConsole } from "../connection/open-console.ts";
import { fvpSlot } from "./fvp-slot.ts";

/** Runs a program in the model's container whose input and output are the DUT's console from now on. */
export async function openProgram(
  context: RunContext,
  command: readonly string[],
): Promise<Console> {
  const fvp = context.slots.take(fvpSlot);
  fvp.isMain = false;
  return openConsole(context, await started(context, command));
}

/** The same for a console that nobody waits for: what it says is feedback, under its own name. */
export async function openFeedback(
  context: RunContext,
  name: string,
  command: readonly string[],
): Promise<void> {
  const { log, defer } = context;
  const console = new Console(await started(context, command), {
    log: (level, text) => log.write(level === "target" ? "feedback" : level, text, name),
  });
  defer(() => console.close());
}

function started(context: RunContext, command: readonly string[]) {
  const { job, slots, log } = context;
  const { container, globalOptions, files } = slots.take(fvpSlot);
  const words = command.map((word) => filled(word, files));
  const argv = [
    containerClient(job),
    ...globalOptions,
    "exec",
    "--interactive",
    container,
    ...words,
  ];
  log.debug(`Calling: ${JSON.stringify(argv)}`);
  return processTransport(argv as [string, ...string[]]);
}
