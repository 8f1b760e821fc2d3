import { execFile, spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { closeSync, constants, existsSync, mkdirSync, openSync, writeFileSync } from "node:fs";
import path from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";
import { freePort } from "../support/loopback-ports.ts";
import type { Bed } from "./bed.ts";
import { startVirtualBoard } from "./virtual-board.ts";

const FIRMWARE = "/usr/lib/u-boot/qemu_arm64/u-boot.bin";

/** A board of QEMU with U-Boot and nothing else. */
export const BOARD = `-accel tcg -M virt -cpu cortex-a53 -m 256 -nodefaults -bios ${FIRMWARE}`;

/** How a board's serial line reaches the worker. */
export const LINES = ["tcp", "serial", "ser2net", "conserver"] as const;
export type Line = (typeof LINES)[number];

const NEEDS: Record<Line, readonly (readonly [string, string])[]> = {
  tcp: [],
  serial: [["/usr/bin/socat", "socat"]],
  ser2net: [
    ["/usr/bin/socat", "socat"],
    ["/usr/sbin/ser2net", "ser2net"],
  ],
  conserver: [
    ["/usr/sbin/conserver", "conserver-server"],
    ["/usr/bin/console", "conserver-client"],
  ],
};

/** Why this machine can't have this bed; undefined when it can. */
export function cannotStart(line: Line): string | undefined {
  const all = [[FIRMWARE, "u-boot-qemu"] as const, ...NEEDS[line]];
  const missing = all.find(([file]) => !existsSync(file));
  return missing && `${missing[0]} is missing: install ${missing[1]}`;
}

export interface ConsoleBed extends Bed {
  /** What a dictionary's `connection_command` is. */
  readonly connection: string;
  readonly hardReset: string;
  readonly powerOff: string;
}

/** A board with U-Boot whose serial line is behind a console server. */
export const start = (folder: string): Promise<ConsoleBed> => startConsole(folder, "ser2net");

export async function startConsole(folder: string, line: Line): Promise<ConsoleBed> {
  const problem = cannotStart(line);
  if (problem) throw new Error(problem);
  mkdirSync(folder, { recursive: true });
  const board = await startVirtualBoard(folder, ["qemu-system-aarch64", ...BOARD.split(" ")]);
  const closing = [(): Promise<void> => board.close()];
  const connection = await connectionOf(folder, line, board.consolePort, closing);
  return {
    connection,
    hardReset: board.hardReset,
    powerOff: board.powerOff,
    dictionary: `{% extends 'base-uboot.jinja2' %}
{% set connection_command = '${connection}' %}
{% set hard_reset_command = '${board.hardReset}' %}
{% set power_off_command = '${board.powerOff}' %}
`,
    hints: [`Its console: ${connection}`, `Press its reset button: ${board.hardReset}`],
    close: async () => {
      for (const close of closing.reverse()) await close();
    },
  };
}

async function connectionOf(
  folder: string,
  line: Line,
  port: number,
  closing: (() => Promise<void>)[],
): Promise<string> {
  if (line === "tcp") return `tcp://127.0.0.1:${port}`;
  if (line === "conserver") return startConserver(folder, port, closing);
  const device = await startSerialLine(folder, port, closing);
  if (line === "serial") return `serial://${device}?baud=115200`;
  return startSer2net(folder, device, closing);
}

/** A serial port of this host that ends at the board: a pseudo-terminal, with socat(1) as the cable. */
async function startSerialLine(
  folder: string,
  port: number,
  closing: (() => Promise<void>)[],
): Promise<string> {
  const device = path.join(folder, "ttyUSB0");
  const far = `TCP:127.0.0.1:${port},nodelay`;
  const socat = spawn("socat", ["-d", "-d", `PTY,link=${device},raw,echo=0`, far], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  closing.push(() => ended(socat));
  await untilSaid(socat, "starting data transfer loop");
  // A cable stays plugged in while nobody has the port open.
  const held = openSync(device, constants.O_RDWR | constants.O_NOCTTY | constants.O_NONBLOCK);
  closing.push(async () => closeSync(held));
  return device;
}

async function startSer2net(
  folder: string,
  device: string,
  closing: (() => Promise<void>)[],
): Promise<string> {
  const port = await freePort();
  const config = path.join(folder, "ser2net.yaml");
  writeFileSync(
    config,
    `connection: &board
  accepter: telnet(rfc2217),tcp,127.0.0.1,${port}
  connector: serialdev,${device},115200n81,local
  options:
    kickolduser: false
`,
  );
  const server = spawn("/usr/sbin/ser2net", ["-n", "-d", "-c", config], { stdio: "ignore" });
  closing.push(() => ended(server));
  return `telnet localhost ${port}`;
}

async function startConserver(
  folder: string,
  board: number,
  closing: (() => Promise<void>)[],
): Promise<string> {
  const port = await freePort();
  writeFileSync(path.join(folder, "passwd"), "");
  const config = path.join(folder, "conserver.cf");
  writeFileSync(
    config,
    `access * { trusted 127.0.0.1; allowed 127.0.0.1; }
default full { rw *; }
console board { include full; master 127.0.0.1; type host; host 127.0.0.1; port ${board}; protocol raw; logfile ""; }
`,
  );
  const server = spawn(
    "/usr/sbin/conserver",
    [
      "-n",
      "-M",
      "127.0.0.1",
      "-p",
      `${port}`,
      "-C",
      config,
      "-P",
      "passwd",
      "-U",
      "log",
      "-L",
      ".",
    ],
    { cwd: folder, stdio: ["ignore", "ignore", "pipe"] },
  );
  closing.push(() => ended(server));
  server.stderr?.resume();
  const client = `console -M 127.0.0.1 -p ${port} -l root`;
  await untilUp(client);
  return `${client} board`;
}

/** What the board says before the server is joined to it is lost. */
async function untilUp(client: string): Promise<void> {
  const [program = "", ...args] = client.split(" ");
  for (;;) {
    const { stdout } = await promisify(execFile)(program, [...args, "-u"]).catch(() => ({
      stdout: "",
    }));
    if (/board\s+up/.test(stdout)) return;
  }
}

async function untilSaid(child: ChildProcess, words: string): Promise<void> {
  const { stderr } = child;
  if (!stderr) throw new Error("its messages go nowhere");
  for await (const text of createInterface(stderr))
    if (text.includes(words)) return stderr.resume() && undefined;
  throw new Error(`${child.spawnfile} ended before it said ${words}`);
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = once(child, "exit");
  child.kill("SIGTERM");
  await exit;
}
