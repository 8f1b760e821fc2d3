import { setTimeout as sleep } from "node:timers/promises";
import type { Console } from "../../console/console.ts";
import type { Transport } from "../../console/transport.ts";
import { openTransport } from "../../drivers/open-transport.ts";
import type { Action, RunContext } from "../../pipeline/action.ts";
import { JobFailure } from "../../pipeline/job-failure.ts";
import { consoleSlot } from "../../pipeline/job-slots.ts";
import { slot } from "../../pipeline/slot.ts";
import {
  primaryConnection,
  requireEnd,
  requireProgram,
  type DeviceConnection,
  type EndTag,
} from "./device-connections.ts";
import { openConsole } from "./open-console.ts";

/** Opens the device's primary connection, unless it is open (DISPATCHER.md 14). */
export const connectDevice: Action = {
  name: "connect-device",
  gives: [consoleSlot],
  onTimeout: "Infrastructure",
  validate: async ({ job }) => requireProgram(primaryConnection(job)),
  run: (context) => connect(context, primaryConnection(context.job)),
};

/** Ends the device's connection in order, as its tags say. */
export const disconnectDevice: Action = {
  name: "disconnect-device",
  onTimeout: "Infrastructure",
  validate: async ({ job }) => requireEnd(primaryConnection(job)),
  run: async ({ connection, job, log, signal }) => {
    const console = connection.find(consoleSlot);
    if (!console?.isOpen) return log.debug("Not connected");
    const { target, endTag } = primaryConnection(job);
    if (target.kind === "program") await sayGoodbye(console, GOODBYES[endTag ?? "shell"], signal);
    await console.close();
  },
};

/** A fresh connection, for what does not survive a power cycle. */
export const resetConnection: Action = {
  name: "reset-connection",
  retries: true,
  gives: [consoleSlot],
  steps: [disconnectDevice, connectDevice],
};

/** What the programs take as the wish to end; it does not reach the DUT. */
const GOODBYES: Record<EndTag, readonly string[]> = {
  telnet: ["\u001d", "quit\n"],
  ssh: ["\n", "~."],
  shell: [],
};

const GOODBYE_SECONDS = 1;

async function sayGoodbye(
  console: Console,
  words: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  try {
    for (const word of words) await console.send(word);
    const wait = { timeoutSeconds: words.length > 0 ? GOODBYE_SECONDS : 0, signal };
    await console.tryExpect({ never: /(?!)/g }, wait);
  } catch {
    // It has ended, as it was asked to.
    signal.throwIfAborted();
  }
}

/** Opens a connection as the console of the block's connection namespace, unless that is open. */
export async function connect(context: RunContext, wanted: DeviceConnection): Promise<void> {
  const { connection, log } = context;
  const open = connection.find(consoleSlot);
  if (open?.isOpen) return log.debug("Already connected");
  const shared = openElsewhere(context, wanted);
  if (shared) {
    log.debug(`Already connected to ${wanted.name} in another namespace`);
    shared.characterDelayMs = context.characterDelayMs;
    connection.put(consoleSlot, shared);
  } else {
    if (open) log.warning(`connection ${wanted.name} was lost: connecting again`);
    const transport = await patiently(context, wanted);
    // What the DUT says between two attempts is logged, too.
    openConsole(context, transport, { outlivesAttempt: true });
  }
  connection.put(connectedSlot, { name: wanted.name, console: connection.take(consoleSlot) });
}

/** The last of the device's connections that a namespace has opened. */
const connectedSlot = slot<{ readonly name: string; readonly console: Console }>("connected");

/** Another namespace's console on the same connection: a serial port has one user, and a console server often, too. */
function openElsewhere(
  { job, slotsOf }: RunContext,
  { name }: DeviceConnection,
): Console | undefined {
  const namespaces = job.definition.actions.flatMap(
    ({ deploy, boot, test }) => (deploy ?? boot ?? test)?.namespace ?? [],
  );
  return namespaces
    .map((namespace) => slotsOf(namespace).find(connectedSlot))
    .find((connected) => connected?.name === name && connected.console.isOpen)?.console;
}

const RETRY_SECONDS = 1;

/** A console server may be busy or restarting: it is asked for as long as the action has time. */
async function patiently(context: RunContext, wanted: DeviceConnection): Promise<Transport> {
  const { signal, log, timeoutSeconds } = context;
  const ends = performance.now() + timeoutSeconds * 1000;
  for (let attempt = 1; ; attempt++) {
    try {
      return await openTransport(wanted.name, wanted.target, signal);
    } catch (error) {
      signal.throwIfAborted();
      const { type, message } = JobFailure.from(error);
      // With time left to say why, instead of "timed out".
      const isLate = performance.now() + 2 * RETRY_SECONDS * 1000 > ends;
      if (isLate) throw new JobFailure(type, `${message} (tried ${attempt} times)`);
      if (attempt === 1) log.warning(`${message}; trying again for ${timeoutSeconds} s`);
    }
    await sleep(RETRY_SECONDS * 1000, undefined, { signal }).catch(() => signal.throwIfAborted());
  }
}
