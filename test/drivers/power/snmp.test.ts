import { spawn, type ChildProcess } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { runPowerCommand } from "../../../worker/drivers/power/power-command.ts";
import { freeUdpPort } from "../../support/loopback-ports.ts";
import { lacking } from "../../support/lacking.ts";

const SNMPD = "/usr/sbin/snmpd";
const APC = ".1.3.6.1.4.1.318.1.1.12.3.3.1.1.4";
const OWN = ".1.3.6.1.4.1.99999.1";
const isThere = !lacking(!existsSync(SNMPD), `${SNMPD} is missing: install snmpd`);

let folder = "";
let port = 0;
let daemon: ChildProcess | undefined;

/** A real snmpd with three objects that a manager may set, as a power strip has them. */
beforeAll(async () => {
  if (!isThere) return;
  folder = mkdtempSync(path.join(tmpdir(), "pumice-snmpd-"));
  port = await freeUdpPort();
  const lines = [
    "rwcommunity secret 127.0.0.1",
    "rocommunity public 127.0.0.1",
    `override -rw ${APC}.5 integer 2`,
    `override -rw ${OWN}.3 integer 0`,
    `override -rw ${OWN}.4 integer 7`,
  ];
  writeFileSync(path.join(folder, "snmpd.conf"), `${lines.join("\n")}\n`);
  daemon = spawn(
    SNMPD,
    ["-f", "-Lo", "-C", "-c", path.join(folder, "snmpd.conf"), `udp:127.0.0.1:${port}`],
    {
      env: { ...process.env, SNMP_PERSISTENT_DIR: folder, MIBS: "" },
      stdio: ["ignore", "pipe", "pipe"],
    },
  );
  await new Promise<void>((resolve, reject) => {
    daemon?.stdout?.on("data", (text) => /NET-SNMP version/.test(String(text)) && resolve());
    daemon?.on("exit", (code) => reject(new Error(`snmpd ended with ${code}`)));
  });
});

afterAll(async () => {
  if (!daemon) return;
  const ended = new Promise((resolve) => daemon?.once("exit", resolve));
  daemon.kill();
  await ended;
  rmSync(folder, { recursive: true });
});

async function power(...words: string[]): Promise<string[]> {
  const lines: string[] = [];
  const io = { signal: new AbortController().signal, say: (line: string) => lines.push(line) };
  await runPowerCommand(["snmp", ...words], io);
  return lines;
}
const apc = (version = ""): string => `snmp://secret@127.0.0.1:${port}/apc${version}`;

test.skipIf(!isThere)(
  "an outlet of an APC strip is switched and asked, by SNMP 1 and 2c",
  async () => {
    for (const address of [apc(), apc("?version=1")]) {
      await power(address, "5", "on");
      expect((await power(address, "5", "status")).at(-1)).toBe("on");
      await power(address, "5", "off");
      expect((await power(address, "5", "status")).at(-1)).toBe("off");
    }
  },
);

test.skipIf(!isThere)("a strip that we don't know is told what to set by its OID", async () => {
  const address = `snmp://secret@127.0.0.1:${port}${OWN.replace(".", "/")}?on=1&off=0`;
  await power(address, "3", "on");
  expect((await power(address, "3", "status")).at(-1)).toBe("on");
  await expect(power(address, "4", "status")).rejects.toThrow(
    /is 7: expected 1 for on or 0 for off/,
  );
});

test.skipIf(!isThere)(
  "an outlet that is not there is an error, without the community in it",
  async () => {
    const failure = await power(apc(), "77", "on").catch((error: Error) => error.message);
    expect(failure).toMatch(/SNMP: snmp:\/\/\*\*\*@127\.0\.0\.1:\d+\/apc: /);
    expect(failure).not.toContain("secret");
  },
);

test.skipIf(!isThere)("a community that may only read can't switch", async () => {
  const address = apc().replace("secret", "public");
  await expect(power(address, "5", "on")).rejects.toThrow(
    /SNMP: .*(NoAccess|NotWritable|noAccess)/i,
  );
});
