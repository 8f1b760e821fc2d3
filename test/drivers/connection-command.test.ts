import { describe, expect, test } from "vitest";
import { describeTarget, readConnectionCommand } from "../../worker/drivers/connection-command.ts";

const serial = { kind: "serial", dataBits: 8, parity: "none", stopBits: 1, flow: "none" } as const;

describe("a dictionary's connection command", () => {
  test.each([
    ["telnet localhost 7002", { kind: "telnet", host: "localhost", port: 7002 }],
    ["  /usr/bin/telnet  -E -e ^Q 'ser2net' 4000", { kind: "telnet", host: "ser2net", port: 4000 }],
    ["telnet fe80::1 7002", { kind: "telnet", host: "fe80::1", port: 7002 }],
    ["telnet console-server", { kind: "telnet", host: "console-server", port: 23 }],
    ["telnet://console:7002", { kind: "telnet", host: "console", port: 7002 }],
    ["telnet://console", { kind: "telnet", host: "console", port: 23 }],
    ["tcp://[::1]:7002", { kind: "tcp", host: "::1", port: 7002 }],
    ["serial:///dev/ttyUSB0", { ...serial, path: "/dev/ttyUSB0", baudRate: 115_200 }],
    [
      "serial:///dev/serial/by-id/a%20b?baud=1500000&parity=even&stop=2&data=7&flow=rtscts",
      {
        kind: "serial",
        path: "/dev/serial/by-id/a b",
        baudRate: 1_500_000,
        parity: "even",
        stopBits: 2,
        dataBits: 7,
        flow: "rtscts",
      },
    ],
    ["console -M lab dut-1", { kind: "program", argv: ["console", "-M", "lab", "dut-1"] }],
    ["ssh -t 'root@lab host'", { kind: "program", argv: ["ssh", "-t", "root@lab host"] }],
    // Only the program itself knows what these mean.
    ["telnet -l me host 23", { kind: "program", argv: ["telnet", "-l", "me", "host", "23"] }],
    ["telnet host ssh", { kind: "program", argv: ["telnet", "host", "ssh"] }],
  ])("%s", (command, target) => {
    expect(readConnectionCommand(command)).toEqual(target);
    expect(describeTarget(readConnectionCommand(command))).not.toBe("");
  });

  test.each([
    ["", "expected a command"],
    ["None", "expected a command"],
    ["telnet 'host 23", "a quote is not closed"],
    ["tcp://host", "expected a port"],
    ["tcp://host:99999", "expected a URL"],
    ["serial://ttyUSB0", "three slashes"],
    ["serial:///dev/ttyUSB0?baud=fast", "baud=fast: expected a number"],
    ["serial:///dev/ttyUSB0?parity=mark", "parity=mark: expected none, even, odd"],
    ["serial:///dev/ttyUSB0?speed=9600", "unknown setting speed: expected baud"],
  ])("%j is refused with its reason", (command, reason) => {
    expect(() => readConnectionCommand(command)).toThrow(reason);
    expect(() => readConnectionCommand(command)).toThrow(JSON.stringify(command));
  });
});
