import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { startSerialPair } from "./serial-pair.ts";

/** A board with a serial console behind a switched socket: a login and a real shell, which start with the power. */
export interface SerialBoard {
  /** Its device dictionary. */
  readonly dictionary: string;
  /** What the socket was told, as Tasmota's commands. */
  readonly commands: string[];
  close(): Promise<void>;
}

/** On pseudo-terminals, by socat(1). */
export async function startSerialBoard(): Promise<SerialBoard> {
  const pair = await startSerialPair();
  const commands: string[] = [];
  let shell: ChildProcess | undefined;
  async function powerOff(): Promise<void> {
    if (!shell) return;
    const exited = once(shell, "exit");
    shell.kill("SIGTERM");
    await exited;
    shell = undefined;
  }
  async function powerOn(): Promise<void> {
    if (shell) return;
    shell = spawn(
      "socat",
      [`FILE:${pair.dut},raw,echo=0`, "EXEC:sh serial-board.sh,pty,setsid,ctty,stderr"],
      { cwd: import.meta.dirname, stdio: "ignore" },
    );
  }
  const plug = createServer((request, response) => {
    const command = new URL(request.url ?? "", "http://plug").searchParams.get("cmnd") ?? "";
    const wanted = / (On|Off)$/.exec(command)?.[1];
    if (wanted) commands.push(command);
    const switched = wanted === "On" ? powerOn() : wanted === "Off" ? powerOff() : undefined;
    void Promise.resolve(switched).then(() =>
      response.end(JSON.stringify({ POWER1: shell ? "ON" : "OFF" })),
    );
  });
  plug.listen(0, "127.0.0.1");
  await once(plug, "listening");
  const url = `http://127.0.0.1:${(plug.address() as AddressInfo).port}`;
  return {
    dictionary: `{% extends 'base.jinja2' %}
{% set connection_command = 'serial://${pair.lab}?baud=115200' %}
{% set hard_reset_command = 'pumice-power tasmota ${url} 1 cycle --delay 0' %}
{% set power_off_command = 'pumice-power tasmota ${url} 1 off' %}
{% block body %}
actions:
  deploy:
    methods:
      image:
  boot:
    connections:
      serial:
    methods:
      minimal:
{% endblock body %}
`,
    commands,
    close: async () => {
      await powerOff();
      plug.closeAllConnections();
      plug.close();
      await pair.close();
    },
  };
}
