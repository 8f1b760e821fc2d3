import { existsSync, readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { Console } from "../../worker/console/console.ts";
import { literalRegex } from "../../worker/console/python-regex.ts";
import type { Transport } from "../../worker/console/transport.ts";
import { readConnectionCommand } from "../../worker/drivers/connection-command.ts";
import { openTransport } from "../../worker/drivers/open-transport.ts";
import { startLineServer, type LineServer } from "../support/line-server.ts";

const never = new AbortController().signal;
const soon = { timeoutSeconds: 20, signal: never };
const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

const open = async (command: string, signal = never): Promise<Transport> => {
  const transport = await openTransport("uart0", readConnectionCommand(command), signal);
  closing.push(() => transport.close());
  return transport;
};

const consoleOn = async (command: string): Promise<Console> =>
  new Console(await open(command), { log: () => 0 });

async function serve(...args: Parameters<typeof startLineServer>): Promise<LineServer> {
  const server = await startLineServer(...args);
  closing.push(() => server.close());
  return server;
}

/** A command for a dictionary that runs shell script. */
const sh = (script: string): string => `sh -c '${script}'`;

describe("a TCP console", () => {
  test("carries what is typed there and what the DUT says back, from its first byte on", async () => {
    const { port } = await serve((socket) => {
      socket.write("U-Boot 2026\r\n=> ");
      socket.on("data", (data) => socket.write(`echo ${data.toString()}`));
    });
    const console = await consoleOn(`tcp://127.0.0.1:${port}`);
    expect((await console.expect({ prompt: /=> /g }, soon)).before).toBe("U-Boot 2026\r\n");
    await console.sendLine("help");
    await console.expect({ echo: /echo help\n/g }, soon);
  });

  test("that nobody serves fails with its name and the reason", async () => {
    const server = await startLineServer(() => {});
    const { port } = server;
    await server.close();
    await expect(open(`telnet 127.0.0.1 ${port}`)).rejects.toMatchObject({
      type: "Infrastructure",
      message: `connection uart0 (telnet 127.0.0.1:${port}) can't be opened: ECONNREFUSED`,
    });
  });

  test("that breaks off ends with the reason, which the wait for a prompt reports", async () => {
    const { port } = await serve((socket) => {
      socket.write("=> ");
      socket.on("error", () => {});
      socket.on("data", () => socket.resetAndDestroy());
    });
    const console = await consoleOn(`tcp://127.0.0.1:${port}`);
    await console.expect({ prompt: /=> /g }, soon);
    await console.sendLine("reset");
    await expect(console.expect({ prompt: /=> /g }, soon)).rejects.toMatchObject({
      type: "Infrastructure",
      message: expect.stringContaining("ECONNRESET"),
    });
  });

  test("that says it is in use and hangs up has never been open", async () => {
    const { port } = await serve((socket) => void socket.end("Port already in use\r\n"));
    await expect(open(`telnet localhost ${port}`)).rejects.toThrow(
      /uart0 .*was closed by the far side and said: Port already in use/,
    );
  });

  test("that is hung up later ends the wait with its name", async () => {
    const { port, sockets } = await serve(() => {});
    const console = await consoleOn(`tcp://127.0.0.1:${port}`);
    const wait = console.expect({ prompt: /=> /g }, soon);
    sockets[0]?.end();
    await expect(wait).rejects.toMatchObject({
      type: "Infrastructure",
      message: expect.stringMatching(/^Connection closed: connection uart0 \(tcp 127.* by the far/),
    });
  });

  test("is given up when the job is", async () => {
    const stop = new AbortController();
    // A documentation address: nobody answers.
    const opening = open("tcp://192.0.2.1:9", stop.signal);
    stop.abort(new Error("the job was canceled"));
    await expect(opening).rejects.toThrow("the job was canceled");
  });
});

describe("a program on a pseudo-terminal", () => {
  test("has a terminal of 80 columns that echoes nothing and passes every byte", async () => {
    const console = await consoleOn(sh("test -t 0 && test -t 1 && stty size; exec cat"));
    await console.expect({ size: /24 80/g }, soon);
    const typed = "a\u0003b\u0004c\r";
    await console.send(typed);
    const { before } = await console.expect({ all: literalRegex(typed) }, soon);
    expect(before.trim()).toBe("");
  });

  test("that shows a shell's prompt has found its DUT: nobody waits for a refusal any more", async () => {
    const console = await consoleOn(sh('printf "root@dut:~# "; sleep 0.05; exit 3'));
    const wait = console.expect({ never: /never/g }, soon);
    await expect(wait).rejects.toThrow(/^Connection closed: .*ended with exit code 3/);
  });

  test("gets its arguments as they are, whatever they hold", async () => {
    const odd = `$HOME "two words" \\; \`id\` it's`;
    const command = `printf %s_end ${JSON.stringify(odd).replaceAll("$", "\\$").replaceAll("`", "\\`")}`;
    await expect(open(command)).rejects.toThrow(`ended with exit code 0 and said: ${odd}_end`);
  });

  test("that isn't there is the lab's fault", async () => {
    await expect(open("no-such-program --now")).rejects.toMatchObject({
      type: "Infrastructure",
      message: expect.stringContaining("Cannot find command 'no-such-program'"),
    });
  });

  test("that fails tells its last words and its exit code", async () => {
    await expect(open(sh("echo no such host >&2; exit 255"))).rejects.toThrow(
      "ended with exit code 255 and said: no such host",
    );
  });

  test("ends with what it started when the connection is closed", async () => {
    const folder = await mkdtemp(path.join(tmpdir(), "pty-"));
    closing.push(() => rm(folder, { recursive: true }));
    const console = await consoleOn(
      sh(
        `trap "" HUP; sleep 1000 & echo $! >${folder}/pid; echo $$ ready; while :; do sleep 1000; done`,
      ),
    );
    const { match } = await console.expect({ ready: /(\d+) ready/g }, soon);
    await console.close();
    const started = readFileSync(path.join(folder, "pid"), "utf8").trim();
    for (const pid of [`${match[1]}`, started]) await expect.poll(() => isRunning(pid)).toBe(false);
  });
});

/** A zombie has ended: only its parent has not looked yet. */
const isRunning = (pid: string): boolean =>
  existsSync(`/proc/${pid}/stat`) && !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, "latin1"));
