import { PromptWait } from "../../console/prompt.ts";
import { shellQuote } from "../../overlay/shell-quote.ts";
import type { Action, RunContext } from "../../pipeline/action.ts";
import { consoleSlot, overlaySlot, placeholdersSlot } from "../../pipeline/job-slots.ts";
import { forcePrompt } from "./force-prompt.ts";
import { currentPrompts, promptPatterns } from "./prompt-patterns.ts";
import { runInShell, shellOf } from "./shell-command.ts";

const DEFAULT_SHELL_FILE = "~/.bashrc";

/** Makes sure that a shell answers (DISPATCHER.md 8). */
export const expectShell: Action = {
  name: "expect-shell-connection",
  needs: [consoleSlot],
  run: async (context) => {
    const { connection, signal, log, timeoutSeconds } = context;
    const console = connection.take(consoleSlot);
    const patterns = promptPatterns(currentPrompts(connection));
    await console.sendLine("");
    const wait = new PromptWait(console, patterns, { signal, log, nudges: true });
    const found = await forcePrompt(context, console, expectShell.name, (seconds) =>
      wait.within(seconds),
    );
    if (!found) throw console.timedOut(patterns, timeoutSeconds);
  },
};

/**
 * Brings the lab's own variables (env-dut) into the DUT's shell, now and for later shells, and says where its root file
 * system is when that is on NFS (DISPATCHER.md 8).
 */
export const exportDeviceEnv: Action = {
  name: "export-device-env",
  needs: [consoleSlot],
  run: async (context) => {
    const shell = { ...shellOf(context), timeoutSeconds: context.connectionTimeoutSeconds };
    for (const line of [...labExports(context), ...nfsExports(context)]) {
      await runInShell(shell, line);
    }
  },
};

function labExports({ job, slots }: RunContext): string[] {
  const exports = Object.entries(job.envDut).map(
    ([name, value]) => `export ${name}=${shellQuote(value)}`,
  );
  const overlay = slots.find(overlaySlot);
  const file = overlay ? overlay.shellFile : DEFAULT_SHELL_FILE;
  if (!file || exports.length === 0) return exports;
  return [...exports.map((line) => `echo ${shellQuote(line)} >> ${file}`), `. ${file}`];
}

function nfsExports({ slots }: RunContext): string[] {
  const { NFSROOTFS, NFS_SERVER_IP } = slots.find(placeholdersSlot) ?? {};
  return [
    ...(NFSROOTFS ? [`export NFS_ROOTFS=${shellQuote(NFSROOTFS)}`] : []),
    ...(NFS_SERVER_IP ? [`export NFS_SERVER_IP=${shellQuote(NFS_SERVER_IP)}`] : []),
  ];
}
