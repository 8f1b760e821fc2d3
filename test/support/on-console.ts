import { Console } from "../../worker/console/console.ts";
import { processTransport } from "../../worker/drivers/process-transport.ts";
import type { Action } from "../../worker/pipeline/action.ts";
import { consoleSlot, placeholdersSlot, promptsSlot } from "../../worker/pipeline/job-slots.ts";

export interface ScriptedDut {
  /** POSIX shell: what the DUT does; its standard input and output are the console. */
  readonly script: string;
  readonly prompts?: readonly string[];
  readonly placeholders?: Readonly<Record<string, string>>;
}

/** An action that has its steps find an open console, behind which a real shell runs the script. */
export function onConsole(dut: ScriptedDut, steps: readonly Action[]): Action {
  return {
    name: "block",
    steps: [
      {
        name: "prepare",
        gives: [consoleSlot, promptsSlot, placeholdersSlot],
        run: async ({ slots, log, defer }) => {
          const transport = await processTransport(["/bin/sh", "-c", dut.script]);
          const console = new Console(transport, { log: (level, text) => log.write(level, text) });
          defer(() => console.close());
          slots.put(consoleSlot, console);
          slots.put(promptsSlot, dut.prompts ?? []);
          slots.put(placeholdersSlot, dut.placeholders ?? {});
        },
      },
      ...steps,
    ],
  };
}
