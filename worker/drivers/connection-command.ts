import path from "node:path";
import { shellWords } from "../host/shell-words.ts";
import { JobFailure } from "../pipeline/job-failure.ts";
import type { SerialTarget } from "./serial-port.ts";
import type { TcpTarget } from "./tcp-transport.ts";

export interface ProgramTarget {
  readonly kind: "program";
  readonly argv: readonly [string, ...string[]];
}

/** What a connection command of a dictionary means. */
export type Target = TcpTarget | SerialTarget | ProgramTarget;

const TELNET_PORT = 23;

/**
 * Reads the connection command of a dictionary: `telnet HOST PORT` is spoken natively, so are the URLs
 * `telnet://HOST:PORT`, `tcp://HOST:PORT` and `serial:///dev/ttyUSB0?baud=115200`; anything else is a program that
 * gets a pseudo-terminal.
 *
 * @throws JobFailure Configuration for what can't be read.
 */
export function readConnectionCommand(command: string): Target {
  const refuse = (why: string): never => {
    throw new JobFailure("Configuration", `connection command ${JSON.stringify(command)}: ${why}`);
  };
  const url = /^(telnet|tcp|serial):\/\/\S+$/.exec(command.trim());
  if (url) return readUrl(url[0], refuse);
  let words: string[];
  try {
    words = shellWords(command);
  } catch (error) {
    return refuse((error as Error).message);
  }
  const [program, ...args] = words;
  // `None` is what a template makes of a connection that the dictionary lists and says no command for.
  if (!program || program === "None") return refuse("expected a command");
  return telnetTarget(program, args) ?? { kind: "program", argv: [program, ...args] };
}

/** How people name the target in a message. */
export function describeTarget(target: Target): string {
  switch (target.kind) {
    case "tcp":
    case "telnet":
      return `${target.kind} ${target.host}:${target.port}`;
    case "serial":
      return `serial port ${target.path}`;
    case "program":
      return target.argv.join(" ");
  }
}

/** Options of telnet clients that change nothing for a program; their escape character we have not. */
const TELNET_FLAGS = new Set(["-8", "-E", "-K", "-L", "-4", "-6", "-c"]);

/** `telnet [options] HOST [PORT]`; undefined for what only the program itself understands. */
function telnetTarget(program: string, args: readonly string[]): TcpTarget | undefined {
  if (path.basename(program) !== "telnet") return undefined;
  const rest = [...args];
  while (rest[0]?.startsWith("-")) {
    const flag = rest.shift() ?? "";
    if (flag === "-e") rest.shift();
    else if (!TELNET_FLAGS.has(flag)) return undefined;
  }
  const [host, port = String(TELNET_PORT), ...more] = rest;
  const number = portNumber(port);
  if (!host || more.length > 0 || number === undefined) return undefined;
  return { kind: "telnet", host, port: number };
}

function readUrl(text: string, refuse: (why: string) => never): Target {
  if (!URL.canParse(text)) return refuse("expected a URL");
  const url = new URL(text);
  if (url.protocol === "serial:") return serialTarget(url, refuse);
  const kind = url.protocol === "tcp:" ? "tcp" : "telnet";
  const port = url.port === "" && kind === "telnet" ? TELNET_PORT : portNumber(url.port);
  if (url.hostname === "") return refuse("expected a host");
  if (port === undefined) return refuse("expected a port of 1 to 65535");
  // Of an IPv6 address only the URL has brackets.
  return { kind, host: url.hostname.replace(/^\[|\]$/g, ""), port };
}

function portNumber(text: string): number | undefined {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  return port >= 1 && port <= 65_535 ? port : undefined;
}

const SERIAL_WORDS = ["baud", "data", "parity", "stop", "flow"];
const MAX_BAUD = 4_000_000;

function serialTarget(url: URL, refuse: (why: string) => never): SerialTarget {
  if (url.host !== "") return refuse("expected three slashes before the port's path");
  const unknown = [...url.searchParams.keys()].find((word) => !SERIAL_WORDS.includes(word));
  if (unknown !== undefined) {
    return refuse(`unknown setting ${unknown}: expected ${SERIAL_WORDS.join(", ")}`);
  }
  const choice = <T extends string>(word: string, values: readonly [T, ...T[]]): T => {
    const said = url.searchParams.get(word) ?? values[0];
    const value = values.find((one) => one === said);
    return value ?? refuse(`${word}=${said}: expected ${values.join(", ")}`);
  };
  const baud = url.searchParams.get("baud") ?? "115200";
  const baudRate = /^\d{1,7}$/.test(baud) ? Number(baud) : 0;
  if (baudRate < 50 || baudRate > MAX_BAUD) {
    return refuse(`baud=${baud}: expected a number of 50 to ${MAX_BAUD}`);
  }
  return {
    kind: "serial",
    path: decodeURIComponent(url.pathname),
    baudRate,
    dataBits: Number(choice("data", ["8", "7", "6", "5"])) as SerialTarget["dataBits"],
    parity: choice("parity", ["none", "even", "odd"]),
    stopBits: Number(choice("stop", ["1", "2"])) as SerialTarget["stopBits"],
    flow: choice("flow", ["none", "rtscts", "xonxoff"]),
  };
}
