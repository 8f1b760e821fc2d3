import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, constants, existsSync, mkdtempSync, openSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { asyncGetBaudRate } from "@serialport/bindings-cpp/dist/load-bindings.js";
import { afterEach, describe, expect, test } from "vitest";
import { Console } from "../../worker/console/console.ts";
import { processTransport } from "../../worker/drivers/process-transport.ts";
import { startLineServer } from "../support/line-server.ts";
import { startSerialPair } from "../support/serial-pair.ts";

const root = path.resolve(import.meta.dirname, "../..");
const bun = path.join(root, "node_modules/@oven/bun-linux-x64/bin/bun");
const program = path.join(root, "test/support/connection-program.ts");
const soon = { timeoutSeconds: 20, signal: new AbortController().signal };

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

/** A worker's connection in a Bun of its own, as a console. */
async function connectedByBun(command: string): Promise<Console> {
  const console = new Console(await processTransport([bun, program, command]), { log: () => 0 });
  closing.push(() => console.close());
  await console.expect({ open: /open\n/g }, soon);
  return console;
}

if (!existsSync(bun)) console.warn(`skipped: Bun is not at ${bun}`);

describe.skipIf(!existsSync(bun))("under Bun", () => {
  test("a program has a raw pseudo-terminal", async () => {
    const console = await connectedByBun("sh -c 'stty size; echo ready; exec cat'");
    await console.expect({ ready: /24 80\r?\n[^]*ready/g }, soon);
    await console.send("a\u0003b\n");
    expect((await console.expect({ echo: /a\W?b\n/g }, soon)).match[0]).toBe("a\u0003b\n");
  });

  test("a program hangs up when the connection is closed", async () => {
    const child = spawn(bun, [program, "sh -c 'echo ready; exec cat'"]);
    closing.push(async () => child.kill("SIGKILL"));
    let said = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      said += text;
      if (said.includes("ready")) child.stdin.end();
    });
    await once(child, "close");
    expect(said).toContain("ended with exit code 129");
  });

  test("an idle agent gives back the code that only its start has asked for", () => {
    const printed = execFileSync(bun, [path.join(root, "test/support/start-up-pages-program.ts")]);
    const { before, after } = JSON.parse(printed.toString()) as { before: number; after: number };
    expect(before).toBeGreaterThan(0);
    expect(after).toBeLessThan(before / 2);
  });

  test("a serial port carries both directions", async () => {
    const pair = await startSerialPair();
    closing.push(() => pair.close());
    const dut = await connectedByBun(`serial://${pair.dut}?baud=9600`);
    const lab = await connectedByBun(`serial://${pair.lab}?baud=9600`);
    await dut.send("=> ");
    await lab.expect({ prompt: /=> /g }, soon);
    const text = "0123456789".repeat(2000);
    await lab.sendLine(text);
    const { before } = await dut.expect({ end: /9\n/g }, soon);
    expect(`${before}9`.trimStart()).toBe(text);
  });

  test("a serial port has any speed, does not hang up at its end, and is its opener's alone", async () => {
    const pair = await startSerialPair();
    closing.push(() => pair.close());
    await connectedByBun(`serial://${pair.lab}?baud=250000&stop=2&flow=rtscts`);
    const stty = execFileSync("stty", ["-a", "-F", pair.lab], { encoding: "utf8" });
    for (const setting of [" cstopb", " crtscts", "-hupcl", "-echo"]) {
      expect(stty).toContain(setting);
    }
    // stty(1) knows the usual speeds only.
    const port = openSync(pair.lab, constants.O_RDONLY | constants.O_NOCTTY);
    closing.push(async () => closeSync(port));
    expect(await asyncGetBaudRate(port)).toMatchObject({ baudRate: 250_000 });
    await expect(connectedByBun(`serial://${pair.lab}`)).rejects.toThrow(/Cannot lock port/);
  });

  test("what a closed port did not take goes nowhere else", async () => {
    const pair = await startSerialPair();
    closing.push(() => pair.close());
    const folder = mkdtempSync(path.join(tmpdir(), "pumice-closed-"));
    closing.push(async () => rmSync(folder, { recursive: true }));
    const file = path.join(folder, "next");
    const closed = path.join(root, "test/support/serial-closed.ts");
    // Nobody reads at the other end.
    const said = execFileSync(bun, [closed, pair.dut, file], { encoding: "utf8", timeout: 20_000 });
    expect(said).toBe("was closed\n");
    expect(statSync(file).size).toBe(0);
  });

  test("a telnet console is negotiated", async () => {
    const server = await startLineServer((socket) => {
      socket.write(Buffer.from([255, 251, 3]));
      socket.on("data", (bytes) => socket.write(`got ${bytes.toString("hex")} `));
    });
    closing.push(() => server.close());
    const console = await connectedByBun(`telnet localhost ${server.port}`);
    await console.expect({ accepted: /got fffd03/g }, soon);
    await console.send("a\r");
    await console.expect({ typed: /got 610d00/g }, soon);
  });
});
