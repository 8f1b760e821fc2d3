import { spawn } from "node:child_process";
import { once } from "node:events";
import { createConnection } from "node:net";
import path from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

export interface VirtualBoard {
  /** TCP port, on loopback, of the board's serial console: it outlives resets and power cycles. */
  readonly consolePort: number;
  /** Command lines, as a device dictionary has them. */
  readonly powerOn: string;
  readonly powerOff: string;
  readonly hardReset: string;
  close(): Promise<void>;
}

/**
 * A board that is a QEMU: switched off at first, with power by commands and its console on TCP, as boards in a rack
 * have. Power off is a machine that stands still, power on one that starts from reset.
 *
 * @param argv QEMU's program and arguments without serial port, monitor and display.
 */
export async function startVirtualBoard(
  folder: string,
  argv: readonly [string, ...string[]],
): Promise<VirtualBoard> {
  const [program, ...args] = argv;
  const socket = path.join(folder, "power.sock");
  const own = [
    ...["-S", "-display", "none", "-qmp", `unix:${socket},server=on,wait=off`],
    ...["-chardev", "socket,id=console,host=127.0.0.1,port=0,server=on,wait=off,nodelay=on"],
    ...["-serial", "chardev:console"],
  ];
  const qemu = spawn(program, [...args, ...own], { stdio: ["ignore", "ignore", "pipe"] });
  let said = "";
  qemu.stderr.setEncoding("utf8").on("data", (text: string) => (said += text));
  const exited = once(qemu, "exit");
  const failed = exited.then(() => {
    throw new Error(`${program} ended: ${said}`);
  });
  failed.catch(() => {});
  const consolePort = await Promise.race([untilConsole(socket), failed]);
  const script = fileURLToPath(import.meta.url);
  const command = (verb: string): string => `${process.execPath} ${script} ${verb} ${socket}`;
  return {
    consolePort,
    powerOn: command("on"),
    powerOff: command("off"),
    hardReset: command("reset"),
    close: async () => {
      qemu.kill("SIGKILL");
      await exited;
    },
  };
}

async function untilConsole(socket: string): Promise<number> {
  for (;;) {
    try {
      const [chardevs] = await askQemu(socket, ["query-chardev"]);
      const { filename = "" } =
        (chardevs as { label: string; filename: string }[]).find(
          ({ label }) => label === "console",
        ) ?? {};
      return Number(/127\.0\.0\.1:(\d+)/.exec(filename)?.[1]);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== "ENOENT" && code !== "ECONNREFUSED") throw error;
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
}

/** Has QEMU carry out commands of its machine protocol, one after the other; what each returned. */
async function askQemu(socket: string, commands: readonly string[]): Promise<unknown[]> {
  const connection = createConnection(socket);
  await once(connection, "connect");
  const answers: unknown[] = [];
  const waiting = ["qmp_capabilities", ...commands];
  try {
    for await (const line of createInterface(connection)) {
      const said = JSON.parse(line) as { QMP?: object; return?: unknown; error?: { desc: string } };
      if (said.error) throw new Error(`QEMU: ${said.error.desc}`);
      if (said.return !== undefined) answers.push(said.return);
      if (said.return === undefined && said.QMP === undefined) continue;
      const next = waiting.shift();
      if (next === undefined) break;
      connection.write(`${JSON.stringify({ execute: next })}\n`);
    }
  } finally {
    connection.destroy();
  }
  return answers.slice(1);
}

const VERBS: Readonly<Record<string, readonly string[]>> = {
  on: ["system_reset", "cont"],
  off: ["stop"],
  reset: ["stop", "system_reset", "cont"],
};

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [verb = "", socket = ""] = process.argv.slice(2);
  await askQemu(socket, VERBS[verb] ?? []);
}
