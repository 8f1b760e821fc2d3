import { setTimeout as sleep } from "node:timers/promises";
import { Console } from "../../console/console.ts";
import { literalRegex } from "../../console/python-regex.ts";
import { containerArgv, deviceContainerOptions, keepUntilEnd } from "../../drivers/container.ts";
import { bootMethod, refusal } from "../../host/device-methods.ts";
import { upperCased } from "../../drivers/flashers/openocd.ts";
import { filled } from "../../drivers/flashers/run-tool.ts";
import { ptyTransport } from "../../drivers/pty-transport.ts";
import { listOfTexts } from "../../host/list-of-texts.ts";
import { requireTool } from "../../host/tool.ts";
import type { Action, JobContext, RunContext } from "../../pipeline/action.ts";
import { JobFailure } from "../../pipeline/job-failure.ts";
import { consoleSlot, imagesSlot } from "../../pipeline/job-slots.ts";
import type { BootStrategy } from "../../pipeline/strategy.ts";
import { connectDevice } from "../connection/connect-device.ts";
import { deviceText, waitUsbSerial } from "../connection/wait-usb.ts";
import { resetDevice } from "../power/reset-device.ts";

/** Loads a program by a debugger and lets it run; the debugger stays until the job ends (DISPATCHER.md 12). */
export const gdbBoot: BootStrategy = {
  family: "boot",
  name: "gdb",
  refuses: ({ method, commands }, job) => {
    const refused = refusal("boot", "gdb", method, job);
    if (refused !== undefined) return refused;
    if (typeof commands !== "string") return "commands: expected the name of the device's commands";
    const sets = Object.keys(job.device.actions.boot.methods?.["gdb"] ?? {});
    const known = sets.filter((name) => name !== "parameters");
    if (known.includes(commands)) return undefined;
    return `the device's gdb has no commands ${commands} (it has ${known.join(", ") || "none"})`;
  },
  action: ({ commands }, { job }) => ({
    name: "boot-gdb",
    validate: async () => {
      const session = sessionOf(job, String(commands));
      if (!session.container) requireTool(session.program);
    },
    steps: [
      {
        name: "boot-gdb-retry",
        retries: true,
        gives: [consoleSlot],
        steps: [
          ...(job.device.commands?.["hard_reset"] ? [resetDevice(job)] : []),
          waitOwnUsbSerial,
          connectDevice,
        ],
        runAfter: (context) => debug(context, sessionOf(job, String(commands))),
      },
    ],
  }),
};

/** A board whose dictionary names no board_id has its console elsewhere than on the USB. */
const waitOwnUsbSerial: Action = {
  name: waitUsbSerial.name,
  onTimeout: "Infrastructure",
  run: async (context) => {
    if (deviceText(context.job, "board_id") !== undefined) return waitUsbSerial.run?.(context);
    context.log.debug("the device has no board_id: nothing to wait for on the USB");
  },
};

interface Session {
  readonly program: string;
  readonly args: readonly string[];
  readonly commands: readonly string[];
  readonly waitSeconds: number;
  readonly container: { readonly image: string; readonly devices: readonly string[] } | undefined;
}

/** A set of the dictionary: `arguments`, `commands`, `docker` (DEVICE.md 1.3). */
function sessionOf(job: JobContext, set: string): Session {
  const { command, wait_before_continue } = bootMethod(job, "gdb");
  const { arguments: args, commands, docker } = bootMethod(job, "gdb", set);
  const { use, container, devices } = (docker ?? {}) as Record<string, unknown>;
  return {
    program: typeof command === "string" && command !== "" ? command : "gdb",
    args: listOfTexts(args),
    commands: listOfTexts(commands),
    waitSeconds: Number(wait_before_continue ?? 0) || 0,
    container:
      use === true ? { image: String(container), devices: listOfTexts(devices) } : undefined,
  };
}

const PROMPT = { prompt: literalRegex("(gdb) ") };
/** What gdb says when it could not do what it was told; it has no exit codes for its commands. */
const REFUSAL =
  /^(?:.*: No such file or directory\.|.*: (?:Connection (?:refused|timed out|reset by peer)|No route to host)\.|Undefined command: .*|Error finishing flash operation|Load failed|Remote communication error.*|.*not supported by this target\.|You can't do that .*|The program is not being run\.)\s*$/m;

async function debug(context: RunContext, session: Session): Promise<void> {
  const { slots, log, signal, connectionTimeoutSeconds } = context;
  const images = [...(slots.find(imagesSlot) ?? [])].map(([label, { path }]) => [label, path]);
  const values = upperCased(Object.fromEntries(images) as Record<string, string>);
  const argv = [
    session.program,
    // A program of a job may bring scripts for its debugger: they are not run.
    ...["-nx", "-q", "-iex", "set auto-load off"],
    ...session.args.map((argument) => filled(argument, values)),
  ];
  // On a terminal what it says and what it complains of come in one stream, in their order.
  const transport = await ptyTransport(inContainer(context, session, argv));
  const console = new Console(transport, { log: (_level, text) => log.write("debug", text) });
  context.defer(() => console.close());
  const wait = { timeoutSeconds: connectionTimeoutSeconds, signal };
  await console.expect(PROMPT, wait);
  const settings = ["set confirm off", "set pagination off", "set width 0"];
  for (const command of [...settings, ...session.commands]) {
    const typed = filled(command, values);
    await console.sendLine(typed);
    const { before } = await console.expect(PROMPT, wait);
    const refused = REFUSAL.exec(before)?.[0].trim();
    if (refused !== undefined) {
      throw new JobFailure("Infrastructure", `gdb refused '${typed}': ${refused}`);
    }
  }
  if (session.waitSeconds > 0) {
    await sleep(session.waitSeconds * 1000, undefined, { signal }).catch(() =>
      signal.throwIfAborted(),
    );
  }
  await console.sendLine("continue");
}

function inContainer(
  context: RunContext,
  { container }: Session,
  argv: readonly string[],
): [string, ...string[]] {
  const { job, level } = context;
  if (!container) return argv as [string, ...string[]];
  const options = {
    ...deviceContainerOptions(job),
    image: container.image,
    name: `lava-gdb-${job.jobId}-${level}`,
    devices: container.devices,
    mounts: [{ source: job.scratch, target: job.scratch }],
    input: "attached" as const,
  };
  keepUntilEnd(context, options);
  return containerArgv(job, options, argv);
}
