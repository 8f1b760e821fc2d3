import { execFileSync } from "node:child_process";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { Console } from "../../worker/console/console.ts";
import { readConnectionCommand } from "../../worker/drivers/connection-command.ts";
import { openTransport } from "../../worker/drivers/open-transport.ts";
import type { SerialTarget } from "../../worker/drivers/serial-port.ts";
import { serialTransport } from "../../worker/drivers/serial-transport.ts";
import { startSerialPair, type SerialPair } from "../support/serial-pair.ts";

const never = new AbortController().signal;
const soon = { timeoutSeconds: 20, signal: never };
const open: Console[] = [];
let pair: SerialPair;
beforeEach(async () => {
  pair = await startSerialPair();
});
afterEach(async () => {
  for (const console of open.splice(0)) await console.close();
  await pair.close();
});

async function consoleOn(device: string, settings = ""): Promise<Console> {
  const target = readConnectionCommand(`serial://${device}${settings}`);
  const console = new Console(await openTransport("uart0", target, never), { log: () => 0 });
  open.push(console);
  return console;
}

describe("a serial port", () => {
  test("carries both directions", async () => {
    const dut = await consoleOn(pair.dut);
    const lab = await consoleOn(pair.lab);
    await dut.send("U-Boot\r\n=> ");
    await lab.expect({ prompt: /=> /g }, soon);
    await lab.sendLine("boot");
    await dut.expect({ command: /boot\n/g }, soon);
  });

  test("loses nothing of what comes faster than it is read", async () => {
    const dut = await consoleOn(pair.dut);
    const lab = await consoleOn(pair.lab);
    const lines = Array.from({ length: 5000 }, (_, n) => `line ${n}`);
    const sent = dut.send(`${lines.join("\n")}\n`);
    for (const line of lines) {
      const { before } = await lab.expect({ line: /line \d+\n/g }, soon);
      if (before !== "") expect(before, line).toBe("");
    }
    await sent;
  });

  // A pseudo-terminal has 8 bits without parity, whatever it is told.
  test.each([
    ["?baud=9600&stop=2", ["speed 9600 baud", " cstopb", "-crtscts"]],
    ["?baud=1500000&flow=rtscts", ["speed 1500000 baud", " crtscts", "-ixon"]],
    ["?flow=xonxoff", ["speed 115200 baud", "-cstopb", "-crtscts", " ixon"]],
    ["", ["speed 115200 baud", "-cstopb", "-crtscts", "-ixon", "-echo", "-icanon", "-hupcl"]],
  ])("is set as the URL says: %s", async (settings, expected) => {
    await consoleOn(pair.lab, settings);
    const stty = execFileSync("stty", ["-a", "-F", pair.lab], { encoding: "utf8" });
    for (const setting of expected) expect(stty).toContain(setting);
  });

  test("may be closed at any moment of a read: to ask the native part of a closed one ends the process", async () => {
    const target = readConnectionCommand(`serial://${pair.lab}`) as SerialTarget;
    for (let round = 0; round < 200; round++) {
      const transport = await serialTransport(target);
      const ended = new Promise<string>((resolve) => transport.onEnd(resolve));
      transport.onData(() => {});
      if (round % 2 === 1) await new Promise((resolve) => setImmediate(resolve));
      await transport.close();
      expect(await ended).toBe("was closed");
    }
  });

  test("that isn't there is the lab's fault and has its name in the message", async () => {
    await expect(consoleOn("/dev/no-such-port")).rejects.toMatchObject({
      type: "Infrastructure",
      message: expect.stringMatching(/uart0 \(serial port \/dev\/no-such-port\) can't be opened/),
    });
  });

  test("whose adapter is unplugged ends the wait", async () => {
    const lab = await consoleOn(pair.lab);
    const wait = lab.expect({ prompt: /=> /g }, soon);
    const [ended] = await Promise.allSettled([wait, pair.close()]);
    expect(ended).toMatchObject({ status: "rejected" });
    expect(String((ended as PromiseRejectedResult).reason)).toMatch(
      /Connection closed: connection uart0 \(serial port .*broke/,
    );
  });

  test("whose adapter is unplugged while nobody reads ends as well, instead of being read for ever", async () => {
    const target = readConnectionCommand(`serial://${pair.lab}`) as SerialTarget;
    const transport = await serialTransport(target);
    await pair.close();
    const ended = new Promise<string>((resolve) => transport.onEnd(resolve));
    transport.onData(() => {});
    expect(await ended).toBe("broke: the port has gone");
    await transport.close();
  });
});
