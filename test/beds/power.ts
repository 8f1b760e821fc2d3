import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { freePort, untilListening } from "../support/loopback-ports.ts";
import type { Bed } from "./bed.ts";
import { startVirtualBoard } from "./virtual-board.ts";

const FIRMWARE = "/usr/lib/u-boot/qemu_arm64/u-boot.bin";
const QEMU_OPTIONS = "-accel tcg -M virt -cpu cortex-a53 -m 256 -nodefaults -bios".split(" ");
const PDUDAEMON = "/usr/sbin/pdudaemon";

/** Why this machine can't have this bed; undefined when it can. */
export const cannotStart = (): string | undefined => {
  if (!existsSync(FIRMWARE)) return `${FIRMWARE} is missing: install u-boot-qemu`;
  return existsSync(PDUDAEMON) ? undefined : `${PDUDAEMON} is missing: install pdudaemon`;
};

export interface PowerBed extends Bed {
  /** `http://127.0.0.1:…` of the daemon; it has the switch `rack`, whose port 1 is the board, and `relays`. */
  readonly daemon: string;
  readonly consolePort: number;
  /** What the relays were told, a line each: `on 2`. */
  readonly relayLog: string;
}

/** A board with U-Boot, behind a real pdudaemon: its console outlives its power. */
export async function start(
  folder: string,
  say: (line: string) => void = () => {},
): Promise<PowerBed> {
  const problem = cannotStart();
  if (problem) throw new Error(problem);
  mkdirSync(folder, { recursive: true });
  const board = await startVirtualBoard(folder, ["qemu-system-aarch64", ...QEMU_OPTIONS, FIRMWARE]);
  const port = await freePort();
  const relayLog = path.join(folder, "relays.log");
  writeFileSync(relayLog, "");
  const config = path.join(folder, "pdudaemon.conf");
  // It puts the number of the port into the command: here into a comment.
  const rack = {
    driver: "localcmdline",
    cmd_on: `${board.powerOn} #%s`,
    cmd_off: `${board.powerOff} #%s`,
  };
  const relay = (state: string): string => `echo ${state} %s >> ${relayLog}`;
  const relays = { driver: "localcmdline", cmd_on: relay("on"), cmd_off: relay("off") };
  const daemon = { hostname: "127.0.0.1", port, logging_level: "INFO", listener: "http" };
  writeFileSync(config, JSON.stringify({ daemon, pdus: { rack, relays } }));
  const child = spawn(
    PDUDAEMON,
    ["--conf", config, "--logfile", path.join(folder, "pdudaemon.log")],
    {
      stdio: ["ignore", "pipe", "pipe"],
    },
  );
  const exited = once(child, "exit");
  let said = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      said += text;
      say(text.trim());
    });
  }
  const failed = exited.then(() => {
    throw new Error(`pdudaemon ended: ${said}`);
  });
  failed.catch(() => {});
  await Promise.race([untilListening(port), failed]);
  const url = `http://127.0.0.1:${port}`;
  const power = `pumice-power pdudaemon ${url}/rack 1`;
  return {
    daemon: url,
    consolePort: board.consolePort,
    relayLog,
    dictionary: `{% extends 'base-uboot.jinja2' %}
{% set connection_command = 'tcp://127.0.0.1:${board.consolePort}' %}
{% set hard_reset_command = '${power} cycle --delay 1' %}
{% set power_on_command = '${power} on' %}
{% set power_off_command = '${power} off' %}
`,
    hints: [`Its console: nc 127.0.0.1 ${board.consolePort}`, `pdudaemon: ${url}`],
    close: async () => {
      child.kill("SIGTERM");
      await exited;
      await board.close();
    },
  };
}
