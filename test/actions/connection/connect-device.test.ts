import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import type { Socket } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { startLineServer, type LineServer } from "../../support/line-server.ts";
import { plainBoard, quickJob } from "../../support/plain-board.ts";
import { runOnBed } from "../../support/run-on-bed.ts";

const servers: LineServer[] = [];
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), "connect-"));
});
afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
  rmSync(folder, { recursive: true });
});

async function line(...args: Parameters<typeof startLineServer>): Promise<LineServer> {
  const server = await startLineServer(...args);
  servers.push(server);
  return server;
}

/** A DUT with a shell that answers each line with its prompt. */
const shell = (socket: Socket): void => {
  socket.write("Linux version 6.1\r\nroot@dut:~# ");
  socket.on("data", (typed) => {
    socket.write(typed.toString().replaceAll("\n", "\r\nroot@dut:~# "));
  });
};

const minimal = `- boot: {method: minimal, reset: false, prompts: ['root@dut:']}`;
const board = (command: string): string =>
  plainBoard(`{% set connection_command = '${command}' %}`);

describe("connect-device", () => {
  test("opens the device's connection once, for all who use it", async () => {
    const dut = await line(shell);
    const ran = await runOnBed({
      job: quickJob(`${minimal}
- boot: {method: minimal, reset: false, parameters: {kernel-start-message: ''}}`),
      dictionary: board(`telnet 127.0.0.1 ${dut.port}`),
    });
    expect(ran.outcome, ran.text).toMatchObject({ result: "pass" });
    expect(dut.sockets).toHaveLength(1);
    expect(ran.text).toContain("debug Already connected");
    expect(ran.text).toContain("target Linux version 6.1");
  });

  test("asks again while the port is in use, and says so once", async () => {
    const dut = await line((socket, nth) => {
      if (nth <= 2) socket.end("Port already in use\r\n");
      else shell(socket);
    });
    const ran = await runOnBed({
      job: quickJob(minimal),
      dictionary: board(`telnet 127.0.0.1 ${dut.port}`),
    });
    expect(ran.outcome, ran.text).toMatchObject({ result: "pass" });
    expect(ran.text.match(/warning connection serial .*Port already in use/g)).toHaveLength(1);
  });

  test("gives up with the connection's name and what was in its way", async () => {
    const dut = await startLineServer(() => {});
    await dut.close();
    const ran = await runOnBed({
      job: quickJob(minimal, "  actions: {connect-device: {seconds: 3}}"),
      dictionary: board(`telnet 127.0.0.1 ${dut.port}`),
    });
    expect(ran.outcome).toMatchObject({
      error_type: "Infrastructure",
      error_msg: `connection serial (telnet 127.0.0.1:${dut.port}) can't be opened: ECONNREFUSED (tried 2 times)`,
    });
  });

  test("opens a connection again that was lost", async () => {
    const dut = await line((socket, nth) => {
      if (nth > 1) return shell(socket);
      socket.write("half a wo");
      // Its console server is restarted while the DUT boots.
      setTimeout(() => socket.destroy(), 200);
      return undefined;
    });
    const ran = await runOnBed({
      job: quickJob(
        `- boot: {method: minimal, reset: false, failure_retry: 2, prompts: ['root@dut:']}`,
      ),
      dictionary: board(`tcp://127.0.0.1:${dut.port}`),
    });
    expect(ran.outcome, ran.text).toMatchObject({ result: "pass" });
    expect(ran.text).toMatch(/error .*Connection closed: connection serial \(tcp 127/);
    expect(ran.text).toContain("connection serial was lost: connecting again");
    expect(dut.sockets).toHaveLength(2);
  });

  test("keeps the connection when an attempt fails, with all that the DUT says meanwhile", async () => {
    const dut = await line((socket) => {
      // Said in the second between two attempts, too.
      const chatter = setInterval(() => socket.write("it went wrong\r\n"), 50);
      socket.on("close", () => clearInterval(chatter));
    });
    const ran = await runOnBed({
      job: quickJob(`- boot:
    method: minimal
    reset: false
    failure_retry: 2
    prompts: [never]
    failure_message: it went wrong
    parameters: {kernel-start-message: ''}`),
      dictionary: board(`tcp://127.0.0.1:${dut.port}`),
    });
    expect(ran.outcome).toMatchObject({ result: "fail" });
    expect(dut.sockets).toHaveLength(1);
    const between = ran.text.split("attempts. '").at(1)?.split("warning Retrying").at(0);
    expect(between).toContain("target it went wrong");
  });
});

describe("a device's connections", () => {
  const job = quickJob(minimal);
  const list = (commands: object, tags: object): string =>
    plainBoard(
      `{% set connection_list = ${JSON.stringify(Object.keys(commands))} %}`,
      `{% set connection_commands = ${JSON.stringify(commands)} %}`,
      `{% set connection_tags = ${JSON.stringify(tags)} %}`,
    );

  test("have one that is primary", async () => {
    const dut = await line(shell);
    const ran = await runOnBed({
      job,
      dictionary: list(
        { uart0: "no-such-program", uart1: `telnet localhost ${dut.port}` },
        { uart1: ["primary", "telnet"] },
      ),
    });
    expect(ran.outcome, ran.text).toMatchObject({ result: "pass" });
  });

  test.each([
    ["none", "", /device dut-01: it has no connection: set connection_command/],
    [
      "none that is primary",
      list({ uart0: "telnet a 1", uart1: "telnet b 1" }, { uart0: ["telnet"] }),
      /0 of its connections \(uart0, uart1\) have the tag primary/,
    ],
    [
      "two that are",
      list(
        { uart0: "telnet a 1", uart1: "telnet b 1" },
        { uart0: ["primary"], uart1: ["primary"] },
      ),
      /2 of its connections/,
    ],
    ["a program that isn't there", board("no-such-program"), /Cannot find command 'no-such/],
    ["an odd URL", board("serial:///dev/ttyS0?baud=x"), /"serial:.*: baud=x: expected a number/],
    [
      "one that must have a name",
      plainBoard(
        "{% set connection_command = 'telnet a 1' %}",
        "{% set must_use_connection = true %}",
      ),
      /must_use_connection wants connection_list/,
    ],
  ])("that are wrong are found before the board is touched: %s", async (_, dictionary, message) => {
    const ran = await runOnBed({ job, dictionary: dictionary || plainBoard() });
    expect(ran.outcome.error_msg, ran.text).toMatch(message);
    expect(ran.results.at(0)).toMatchObject({ case: "validate", result: "fail" });
  });
});

describe("new_connection", () => {
  const twoLines = (first: LineServer, second: LineServer): string =>
    plainBoard(
      "{% set connection_list = ['uart0', 'uart1'] %}",
      `{% set connection_commands = {'uart0': 'telnet localhost ${first.port}', 'uart1': 'tcp://localhost:${second.port}'} %}`,
      "{% set connection_tags = {'uart0': ['primary', 'telnet']} %}",
    );

  test("opens another line, where nothing boots; what it says later is feedback", async () => {
    let second: Socket | undefined;
    const uart1 = await line((socket) => {
      second = socket;
      // Silent until somebody types, as a shell whose prompt nobody saw.
      socket.once("data", () => socket.write("root@dut:~# "));
    });
    const uart0 = await line((socket) => {
      second?.write("\r\nuart1 speaks\r\n");
      socket.write("Linux version 6.1\r\n");
      setTimeout(() => socket.write("root@dut:~# "), 300);
    });
    const ran = await runOnBed({
      job: quickJob(`
- boot: {namespace: b, method: new_connection, connection: uart1, prompts: ['root@dut:']}
- boot: {namespace: a, method: minimal, reset: false, prompts: ['root@dut:']}`),
      dictionary: twoLines(uart0, uart1),
    });
    expect(ran.outcome, ran.text).toMatchObject({ result: "pass" });
    const said = ran.records.find(({ msg }) => msg === "uart1 speaks");
    expect(said).toMatchObject({ lvl: "feedback", ns: "b" });
  });

  test("lends its line to another namespace, which boots there", async () => {
    const uart0 = await line(() => {});
    const uart1 = await line(shell);
    const ran = await runOnBed({
      job: quickJob(`
- boot: {namespace: b, method: new_connection, connection: uart1}
- boot: {namespace: a, connection-namespace: b, method: minimal, reset: false, prompts: ['root@dut:']}`),
      dictionary: twoLines(uart0, uart1),
    });
    expect(ran.outcome, ran.text).toMatchObject({ result: "pass" });
    expect(uart0.sockets).toHaveLength(0);
    const said = ran.records.filter(({ msg }) => msg === "Linux version 6.1");
    expect(said).toMatchObject([{ lvl: "target" }]);
  });

  test("is one for all namespaces that want the same line", async () => {
    const uart0 = await line((socket, nth) => {
      if (nth === 1) shell(socket);
      else socket.end("Port already in use\r\n");
    });
    const uart1 = await line(shell);
    const ran = await runOnBed({
      job: quickJob(`
- boot: {namespace: a, method: minimal, reset: false, prompts: ['root@dut:']}
- boot: {namespace: b, method: new_connection, connection: uart0, prompts: ['root@dut:'], auto_login: {login_prompt: 'root@dut', username: typed-in-b}}`),
      dictionary: twoLines(uart0, uart1),
    });
    expect(ran.outcome, ran.text).toMatchObject({ result: "pass" });
    expect(uart0.sockets).toHaveLength(1);
    const said = ran.records.filter(
      ({ lvl, msg }) => lvl !== "input" && String(msg).endsWith("typed-in-b"),
    );
    expect(said).toMatchObject([{ lvl: "target" }]);
  });

  test("of a name that the device has not is refused", async () => {
    const uart = await line(() => {});
    const ran = await runOnBed({
      job: quickJob(`
- boot: {namespace: b, method: new_connection, connection: uart7}`),
      dictionary: twoLines(uart, uart),
    });
    expect(ran.outcome.error_msg).toContain(
      'connection: \\"uart7\\": device dut-01 has uart0, uart1',
    );
  });
});

describe("disconnect-device", () => {
  /** A job that disconnects, and a device whose connection is a program that notes what it was told. */
  const bootloader = quickJob(`- boot:
    method: bootloader
    bootloader: u-boot
    reset: false
    commands: []
- boot:
    method: bootloader
    bootloader: u-boot
    reset: false
    commands: []`);
  const uboot = (command: string, tags: string): string => `{% extends 'base-uboot.jinja2' %}
{% set connection_list = ['uart0'] %}
{% set connection_commands = {'uart0': '${command}'} %}
{% set connection_tags = {'uart0': ['primary'${tags}]} %}
{% set uboot_needs_interrupt = false %}
`;
  const client = (): string => {
    const file = path.join(folder, "client");
    writeFileSync(
      file,
      `#!/bin/sh
printf '=> '
trap 'echo hung up >>${folder}/told' HUP
while read -r line; do printf '%s\\n' "$line" >>${folder}/told; [ "$line" != quit ] && [ "$line" != '~.' ] || exit 0; done
`,
    );
    chmodSync(file, 0o755);
    return file;
  };

  test("tells a program what its tag says, and connects anew", async () => {
    const ran = await runOnBed({ job: bootloader, dictionary: uboot(client(), ", 'telnet'") });
    expect(ran.outcome, ran.text).toMatchObject({ result: "pass" });
    expect(readFileSync(path.join(folder, "told"), "utf8")).toContain("quit\n");
  });

  test("just hangs up where the tag is shell", async () => {
    const ran = await runOnBed({ job: bootloader, dictionary: uboot(client(), ", 'shell'") });
    expect(ran.outcome, ran.text).toMatchObject({ result: "pass" });
    expect(readFileSync(path.join(folder, "told"), "utf8")).not.toContain("quit");
  });

  test("of a program that nobody can end is refused before the board is touched", async () => {
    const ran = await runOnBed({ job: bootloader, dictionary: uboot(client(), "") });
    expect(ran.outcome).toMatchObject({
      error_type: "Configuration",
      error_msg: expect.stringContaining("give it one of the tags telnet, ssh, shell"),
    });
    expect(existsSync(path.join(folder, "told"))).toBe(false);
  });
});
