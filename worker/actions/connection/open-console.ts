import { Console } from "../../console/console.ts";
import type { Transport } from "../../console/transport.ts";
import { kernelReportsOf } from "../../kernel/console-kernel.ts";
import type { RunContext } from "../../pipeline/action.ts";
import { consoleSlot } from "../../pipeline/job-slots.ts";

/**
 * A console on a transport, in the connection namespace's slot from now on. Everything the DUT says is logged, also
 * while nobody waits for it; as `feedback` while the job is busy with another namespace (DISPATCHER.md 7.5). It is
 * closed when the job ends, or when its action is tried again and the DUT itself ends with it (a guest, a container).
 */
export function openConsole(
  context: RunContext,
  transport: Transport,
  { outlivesAttempt = false } = {},
): Console {
  const { connection, log } = context;
  // While an action runs, this is the namespace whose connection it uses.
  const namespace = context.activeNamespace();
  // A console may serve several namespaces: it is that of the DUT when the active one has it.
  const isActive = (): boolean => {
    const active = context.activeNamespace();
    return active === namespace || context.slotsOf(active).find(consoleSlot) === console;
  };
  const console: Console = new Console(transport, {
    log: (level, text) =>
      level === "target" && !isActive()
        ? log.write("feedback", text, namespace)
        : log.write(level, text),
    logLines: (lines) =>
      isActive() ? log.writeLines("target", lines) : log.writeLines("feedback", lines, namespace),
  });
  const release = (): Promise<void> => console.close();
  if (outlivesAttempt) context.deferToEnd(release);
  else context.defer(release);
  kernelReportsOf(console);
  console.characterDelayMs = context.characterDelayMs;
  connection.put(consoleSlot, console);
  return console;
}
