import { Console } from "../../console/console.ts";
import type { Transport } from "../../console/transport.ts";
import type { RunContext } from "../../pipeline/action.ts";
import { consoleSlot } from "../../pipeline/job-slots.ts";

/**
 * A console on a transport, in the namespace's slot from now until the job ends. Everything the DUT says is logged, also
 * while nobody waits for it; as `feedback` while the job is busy with another namespace (DISPATCHER.md 7.5).
 */
export function openConsole(context: RunContext, transport: Transport): Console {
  const { job, slots, log, namespace } = context;
  const console = new Console(transport, {
    log: (level, text) =>
      level === "target" && context.activeNamespace() !== namespace
        ? log.write("feedback", text, namespace)
        : log.write(level, text),
  });
  context.defer(() => console.close());
  console.characterDelayMs = Number(job.device.character_delays?.boot ?? 0);
  slots.put(consoleSlot, console);
  return console;
}
