import { shellQuote } from "../../overlay/shell-quote.ts";
import type { Action } from "../../pipeline/action.ts";
import { consoleSlot, promptsSlot } from "../../pipeline/job-slots.ts";
import { promptPatterns } from "./prompt-patterns.ts";

/** Makes sure that a shell answers (DISPATCHER.md 8). */
export const expectShell: Action = {
  name: "expect-shell-connection",
  needs: [consoleSlot, promptsSlot],
  run: async ({ slots, timeoutSeconds, signal, log }) => {
    const console = slots.take(consoleSlot);
    const patterns = promptPatterns(slots.take(promptsSlot));
    await console.sendLine("");
    const ends = Date.now() + timeoutSeconds * 1000;
    const half = { timeoutSeconds: timeoutSeconds / 2, signal };
    if (await console.tryExpect(patterns, half)) return;
    log.warning("expect-shell-connection: no prompt yet. Sending '#' and a newline");
    await console.sendLine("#");
    await console.expect(patterns, { timeoutSeconds: (ends - Date.now()) / 1000, signal });
  },
};

/** Brings the lab's own variables (env-dut) into the DUT's shell, now and for later shells (DISPATCHER.md 8). */
export const exportDeviceEnv: Action = {
  name: "export-device-env",
  needs: [consoleSlot, promptsSlot],
  run: async ({ job, slots, connectionTimeoutSeconds, signal }) => {
    const variables = Object.entries(job.envDut);
    if (variables.length === 0) return;
    const console = slots.take(consoleSlot);
    const patterns = promptPatterns(slots.take(promptsSlot));
    const posix = (job.device.constants as { posix?: Record<string, unknown> }).posix;
    const file = String(posix?.["lava_test_shell_file"] ?? "~/.bashrc");
    const lines = variables.map(
      ([name, value]) => `echo ${shellQuote(`export ${name}=${shellQuote(value)}`)} >> ${file}`,
    );
    for (const line of [...lines, `. ${file}`]) {
      await console.sendLine(line);
      await console.expect(patterns, { timeoutSeconds: connectionTimeoutSeconds, signal });
    }
  },
};
