import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { runPowerCommand } from "../../../worker/drivers/power/power-command.ts";

let folder = "";
const PATH = process.env["PATH"];
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), "pumice-tools-"));
  process.env["PATH"] = `${folder}:${PATH}`;
});
afterEach(() => {
  process.env["PATH"] = PATH;
  rmSync(folder, { recursive: true });
});

/** An executable of that name on the PATH, in front of a real one. */
function program(name: string, script: string): void {
  const file = path.join(folder, name);
  writeFileSync(file, `#!/bin/sh\nD=${folder}\n${script}`);
  chmodSync(file, 0o755);
}

async function power(...words: string[]): Promise<string[]> {
  const lines: string[] = [];
  const io = { signal: new AbortController().signal, say: (line: string) => lines.push(line) };
  await runPowerCommand(words, io);
  return lines;
}

describe("gpio", () => {
  /** Line 17 of gpiochip0, by the options that each version of libgpiod takes. */
  const set = (version: string, usage: string): string => `
case "$*" in
--version) echo "gpioset (libgpiod) v${version}";;
${usage}) echo "$*" >> $D/log;;
*) echo "gpioset: unrecognized: $*" >&2; exit 1;;
esac
`;

  test("libgpiod 1 sets the line and ends", async () => {
    program("gpioset", set("1.6.3", '"--mode=exit gpiochip0 17="[01]'));
    await power("gpio", "gpiochip0", "17", "cycle", "--delay", "0");
    const log = readFileSync(path.join(folder, "log"), "utf8");
    expect(log).toBe("--mode=exit gpiochip0 17=0\n--mode=exit gpiochip0 17=1\n");
  });

  test("libgpiod 2 is told not to stay, and that the relay is active low", async () => {
    program("gpioset", set("2.1.3", '"--active-low -t 0 -c gpiochip0 17="[01]'));
    await power("gpio", "gpiochip0", "17", "on", "--active-low");
    expect(readFileSync(path.join(folder, "log"), "utf8")).toContain("17=1");
  });

  test("libgpiod 2 reads the line without changing it; libgpiod 1 can't, and isn't asked", async () => {
    const get = (version: string): string =>
      `case "$*" in --version) echo "gpioget (libgpiod) v${version}";; "--as-is --numeric -c gpiochip0 17") echo 1;; *) exit 1;; esac\n`;
    program("gpioget", get("2.1.3"));
    expect((await power("gpio", "gpiochip0", "17", "status")).at(-1)).toBe("on");
    program("gpioget", get("1.6.3"));
    await expect(power("gpio", "gpiochip0", "17", "status")).rejects.toThrow(/libgpiod 2 can/);
  });

  test("what gpioset complains about is in the error", async () => {
    program("gpioset", set("1.6.3", "nothing"));
    await expect(power("gpio", "gpiochip0", "17", "on")).rejects.toThrow(
      /gpioset ended with exit code 1: gpioset: unrecognized/,
    );
  });
});

describe("uhubctl", () => {
  /** Hub 1-1.2 with a port 3, in the words of uhubctl 2.5. */
  const HUB = `
say() { echo "Current status for hub 1-1.2 [2109:2813, USB 2.10, 4 ports, ppps]"; }
port() { if [ "$(cat $D/state 2>/dev/null)" = on ]; then echo "  Port 3: 0103 power enable connect [0403:6001]"; else echo "  Port 3: 0000 off"; fi; }
case "$*" in
"-l 1-1.2 -p 3") say; port;;
"-l 1-1.2 -p 3 -a on") say; port; echo "Sent power on request"; echo on > $D/state; echo "New status for hub 1-1.2"; port;;
"-l 1-1.2 -p 3 -a off") say; port; [ -e $D/stuck ] || echo off > $D/state; echo "New status for hub 1-1.2"; port;;
*) echo "No compatible devices detected at location $2!"; echo "Run with -h to get usage info."; exit 1;;
esac
`;

  test("a port is switched, and asked", async () => {
    program("uhubctl", HUB);
    await power("uhubctl", "1-1.2", "3", "on");
    expect((await power("uhubctl", "1-1.2", "3", "status")).at(-1)).toBe("on");
    await power("uhubctl", "1-1.2", "3", "off");
    expect((await power("uhubctl", "1-1.2", "3", "status")).at(-1)).toBe("off");
  });

  test("a hub that can't switch its ports is found out", async () => {
    program("uhubctl", HUB);
    await power("uhubctl", "1-1.2", "3", "on");
    writeFileSync(path.join(folder, "stuck"), "");
    await expect(power("uhubctl", "1-1.2", "3", "off")).rejects.toThrow(
      "port 3 of hub 1-1.2 is still on: can this hub switch its ports?",
    );
  });

  test("a hub that is not there is an error in uhubctl's words", async () => {
    program("uhubctl", HUB);
    await expect(power("uhubctl", "2-1", "3", "off")).rejects.toThrow(
      /exit code 1: No compatible devices detected at location 2-1!/,
    );
  });
});
