import { accessSync, constants, readdirSync, readlinkSync, realpathSync, statSync } from "node:fs";
import net from "node:net";
import { userInfo } from "node:os";
import path from "node:path";
import {
  describeTarget,
  readConnectionCommand,
  type Target,
} from "../drivers/connection-command.ts";
import { isPowerCommand } from "../drivers/power/power-command.ts";
import { shellWords } from "../host/shell-words.ts";
import { commandsOf, type CheckedDevice } from "./checked-device.ts";
import { messageOf, missing, ok, wrong, type Finding } from "./finding.ts";
import { isThere } from "./tools.ts";

const CONNECT_MS = 3000;

/** How each device is reached: its connections and the programs of its commands. What a job uses now is not touched. */
export async function deviceFindings(devices: readonly CheckedDevice[]): Promise<Finding[]> {
  const all = await Promise.all(devices.map(findingsOf));
  return all.flat();
}

async function findingsOf(device: CheckedDevice): Promise<Finding[]> {
  const { hostname, problem, is_busy: isBusy } = device;
  if (problem !== undefined) {
    return [wrong(hostname, `its configuration is of no use: ${problem}`)];
  }
  const programs = programFindings(device);
  const connections = connectionsOf(device);
  if (isBusy) {
    return [ok(hostname, "a job has it now: its connections are not touched"), ...programs];
  }
  const looked = await Promise.all(
    connections.map(({ name, command }) => connectionFinding(`${hostname} ${name}`, command)),
  );
  if (looked.length + programs.length > 0) return [...looked, ...programs];
  return [ok(hostname, "it has neither connections nor commands to look at")];
}

interface Connection {
  readonly name: string;
  readonly command: string;
}

function connectionsOf(device: CheckedDevice): Connection[] {
  const { connect, connections } = commandsOf(device);
  const single =
    typeof connect === "string" && connect !== "" ? [{ name: "", command: connect }] : [];
  const named = Object.entries((connections ?? {}) as Record<string, unknown>).flatMap(
    ([name, connection]) => {
      const command = (connection as Record<string, unknown> | null)?.["connect"];
      return typeof command === "string" ? [{ name, command }] : [];
    },
  );
  return [...single, ...named];
}

async function connectionFinding(label: string, command: string): Promise<Finding> {
  const what = label.trim();
  let target: Target;
  try {
    target = readConnectionCommand(command);
  } catch (error) {
    return wrong(what, messageOf(error));
  }
  switch (target.kind) {
    case "serial":
      return serialFinding(what, target.path);
    case "tcp":
    case "telnet":
      return portFinding(what, target);
    case "program": {
      const [program] = target.argv;
      const text = describeTarget(target);
      return isThere(program) ? ok(what, text) : missing(what, `${text}: there is no ${program}`);
    }
  }
}

/** Not opened: that may reset a board. */
function serialFinding(what: string, file: string): Finding {
  try {
    if (!statSync(file).isCharacterDevice()) return wrong(what, `${file} is no serial port`);
  } catch {
    const hint = file.startsWith("/dev/serial/by-")
      ? "is its adapter plugged in?"
      : "is its adapter plugged in? Names as /dev/ttyUSB0 move: one of /dev/serial/by-id or by-path doesn't";
    return missing(what, `${file} isn't there: ${hint}`);
  }
  try {
    accessSync(file, constants.R_OK | constants.W_OK);
  } catch {
    const { username } = userInfo();
    return wrong(
      what,
      `user ${username} may not open ${file}: usermod -aG dialout ${username}, and start the worker again`,
    );
  }
  const holders = holdersOf(file);
  return holders.length === 0
    ? ok(what, `serial port ${file}`)
    : wrong(what, `${file} is held by ${holders.join(", ")}: end that, two can't share a port`);
}

/** Processes that have a file open, as far as this user may see; our own agents and runners are not meant. */
function holdersOf(file: string): string[] {
  const real = realpathSync(file);
  return readdirSync("/proc").flatMap((pid) => {
    if (!/^\d+$/.test(pid) || Number(pid) === process.pid) return [];
    try {
      const fds = readdirSync(`/proc/${pid}/fd`);
      const isHolder = fds.some((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`) === real);
      return isHolder ? [`process ${pid} (${programOf(pid)})`] : [];
    } catch {
      return [];
    }
  });
}

function programOf(pid: string): string {
  try {
    return path.basename(readlinkSync(`/proc/${pid}/exe`));
  } catch {
    return "unknown";
  }
}

async function portFinding(
  what: string,
  { kind, host, port }: { kind: string; host: string; port: number },
): Promise<Finding> {
  const at = `${kind} ${host} ${port}`;
  const socket = net.connect({ host, port });
  try {
    await new Promise<void>((resolve, reject) => {
      const late = setTimeout(() => reject(new Error("no answer")), CONNECT_MS);
      socket.once("connect", () => (clearTimeout(late), resolve()));
      socket.once("error", (error) => (clearTimeout(late), reject(error)));
    });
    return ok(what, at);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const hint =
      code === "ECONNREFUSED"
        ? "nobody listens there: is ser2net (or what else serves consoles) running?"
        : code === "ENOTFOUND" || code === "EAI_AGAIN"
          ? "the name is not known: put it into DNS or /etc/hosts"
          : "is the console server on, and is the network between right?";
    return wrong(what, `${at}: ${code ?? messageOf(error)}: ${hint}`);
  } finally {
    socket.destroy();
  }
}

const COMMANDS = [
  "power_on",
  "power_off",
  "hard_reset",
  "soft_reboot",
  "pre_power_command",
  "pre_os_command",
];

/** Each program once, with the commands that run it. */
function programFindings(device: CheckedDevice): Finding[] {
  const uses = new Map<string, string[]>();
  const commands = commandsOf(device);
  const users = Object.entries((commands["users"] ?? {}) as Record<string, unknown>);
  const all = [
    ...COMMANDS.map((name) => [name, commands[name]] as const),
    ...users.map(
      ([name, user]) => [name, (user as Record<string, unknown> | null)?.["do"]] as const,
    ),
  ];
  for (const [name, value] of all) {
    for (const text of Array.isArray(value) ? value : [value]) {
      const program = programIn(text);
      if (program !== undefined) uses.set(program, [...(uses.get(program) ?? []), name]);
    }
  }
  return [...uses].map(([program, names]) => {
    const forWhat = [...new Set(names)].join(", ");
    return isThere(program)
      ? ok(device.hostname, `${forWhat}: ${program}`)
      : missing(device.hostname, `${forWhat}: ${program} not found on this machine`);
  });
}

/** The program of a command; none for our own, and for what only a job makes whole. */
function programIn(text: unknown): string | undefined {
  if (typeof text !== "string" || text.trim() === "") return undefined;
  try {
    const words = shellWords(text);
    return isPowerCommand(words) ? undefined : words[0];
  } catch {
    return undefined;
  }
}
