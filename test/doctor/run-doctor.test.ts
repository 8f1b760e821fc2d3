import { once } from "node:events";
import http from "node:http";
import type { AddressInfo } from "node:net";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { deviceFindings } from "../../worker/doctor/devices.ts";
import type { Finding } from "../../worker/doctor/finding.ts";
import { runDoctor } from "../../worker/doctor/run-doctor.ts";
import { lockWorkDir } from "../../worker/host/work-dir-lock.ts";
import { readWorkerSettings } from "../../worker/host/settings-file.ts";
import { startLineServer } from "../support/line-server.ts";
import { listeningLab } from "../support/listening-lab.ts";
import { freePort } from "../support/loopback-ports.ts";
import { startSerialPair } from "../support/serial-pair.ts";

let folder: string;
let lab: Awaited<ReturnType<typeof listeningLab>>;
let workerToken: string;
beforeEach(async () => {
  folder = mkdtempSync(path.join(tmpdir(), "pumice-doctor-"));
  for (const name of ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "PUMICE_URL"]) {
    vi.stubEnv(name, undefined);
  }
  lab = await listeningLab();
  workerToken = await lab.addWorker();
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await lab.close();
  rmSync(folder, { recursive: true });
});

/** A file of the test's folder. */
function write(name: string, text: string, mode = 0o600): string {
  const file = path.join(folder, name);
  writeFileSync(file, text, { mode });
  return file;
}

/** The exit code and what is printed, for a worker with this URL and this token. */
async function diagnose({ url = lab.url, token = workerToken as string | null } = {}) {
  const file = path.join(folder, "worker.env");
  const lines = [`PUMICE_URL=${url}`];
  if (token !== null) lines.push(`PUMICE_TOKEN_FILE=${write("token", `${token}\n`)}`);
  writeFileSync(file, lines.join("\n"));
  const settings = readWorkerSettings(file, {});
  const printed: string[] = [];
  const workDir = path.join(folder, "work");
  const dispatcherFile = write("dispatcher.yaml", "dispatcher_ip: 127.0.0.1\ntftp_port: 0\n");
  const options = { settings, workDir, dispatcherFile, isJson: true };
  const code = await runDoctor(options, (line) => printed.push(line));
  const { ok, findings } = JSON.parse(printed.join("")) as { ok: boolean; findings: Finding[] };
  expect(ok).toBe(code === 0);
  return {
    findings,
    finding: (what: string) => findings.find((one) => one.what === what),
    states: findings.map(({ state, what }) => `${state} ${what}`),
  };
}

async function addDevice(hostname: string, commands: object, methods: object = {}): Promise<void> {
  const { deploy = {}, boot = {} } = methods as { deploy?: object; boot?: object };
  const configuration = JSON.stringify({
    commands,
    actions: { deploy: { methods: deploy }, boot: { methods: boot } },
    timeouts: {},
    constants: {},
    parameters: {},
    character_delays: {},
  });
  const body = { device_type: "x", worker: "bench", configuration };
  await lab.api(`/devices/${hostname}`, { method: "PUT", body });
}

describe("doctor with a control plane", () => {
  test("begins with the way there and ends with what the devices need", async () => {
    const { states, finding } = await diagnose();
    expect(states.slice(0, 5)).toEqual([
      "ok proxy",
      "ok name",
      "ok server",
      "ok clock",
      "ok token",
    ]);
    expect(finding("token")?.text).toBe("worker bench, devices: 0");
    expect(states).toContain("note agent");
    expect(states.at(-1)).toBe("ok http files");
  });

  test("says what a token is worth", async () => {
    expect((await diagnose({ token: "pumice_wrong" })).finding("token")).toMatchObject({
      state: "wrong",
      text: expect.stringMatching(/revoked.*Enrol/) as unknown,
    });
    expect((await diagnose({ token: lab.adminToken })).finding("token")).toMatchObject({
      state: "wrong",
      text: expect.stringContaining("no worker's token") as unknown,
    });
    const { states, finding } = await diagnose({ token: null });
    expect(finding("token")?.state).toBe("missing");
    expect(states).toContain("ok tar");
  });

  test("shows what a server says, and lets it steer no terminal", async () => {
    const server = http.createServer((_, response) => {
      response.writeHead(500).end(JSON.stringify({ message: "no\u001b]0;owned\u0007\r\nok" }));
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const settings = readWorkerSettings(write("worker.env", `PUMICE_URL=${url}`), {});
    const printed: string[] = [];
    await runDoctor({ settings, workDir: folder }, (line) => printed.push(line));
    server.closeAllConnections();
    server.close();
    const line = printed.find((one) => one.startsWith("wrong   server"));
    expect(line).toContain("500 no ]0;owned ok");
    expect(printed.join("")).not.toMatch(/\p{Cc}/u);
  });

  test("stops at what the rest depends on, and looks at this machine all the same", async () => {
    const gone = await diagnose({ url: `http://127.0.0.1:${await freePort()}` });
    expect(gone.finding("server")).toMatchObject({
      state: "wrong",
      text: expect.stringContaining("ECONNREFUSED") as unknown,
    });
    expect(gone.finding("token")).toBeUndefined();
    const unknown = await diagnose({ url: "https://lab.invalid" });
    expect(unknown.finding("name")).toMatchObject({ state: "wrong" });
    vi.stubEnv("HTTPS_PROXY", `http://jo:hunter2@127.0.0.1:${await freePort()}`);
    const proxied = await diagnose({ url: "https://lab.invalid" });
    expect(proxied.finding("proxy")?.text).toMatch(/^http:\/\/127.*HTTPS_PROXY\), as user jo$/);
    expect(proxied.finding("tls")).toMatchObject({
      state: "wrong",
      text: expect.stringContaining("can't be reached: ECONNREFUSED") as unknown,
    });
    expect(JSON.stringify(proxied.findings)).not.toContain("hunter2");
    for (const { states } of [gone, unknown, proxied]) expect(states).toContain("ok work folder");
  });

  test("looks at each device's connections", async () => {
    const pair = await startSerialPair();
    const line = await startLineServer(() => {});
    const closed = await freePort();
    // A character device that nobody has open stands for a port.
    await addDevice("free", { connect: "serial:///dev/full?baud=9600" });
    await addDevice("held", { connect: `serial://${pair.dut}?baud=115200` });
    await addDevice("gone", { connect: "serial:///dev/ttyUSB77" });
    await addDevice("file", { connect: `serial://${folder}` });
    await addDevice("telnet", { connect: `telnet localhost ${line.port}` });
    const connections = { uart0: { connect: `telnet 127.0.0.1 ${closed}`, tags: ["primary"] } };
    await addDevice("refused", { connections });
    await addDevice("program", { connect: "no-such-client -x board" });
    const { finding } = await diagnose();
    expect(finding("free")).toMatchObject({ state: "ok" });
    expect(finding("held")?.text).toMatch(/is held by process \d+ \(socat\)/);
    expect(finding("gone")?.text).toMatch(/ttyUSB77 isn't there.*\/dev\/serial\/by-id/);
    expect(finding("file")?.text).toMatch(/no serial port/);
    expect(finding("telnet")).toMatchObject({ state: "ok" });
    expect(finding("refused uart0")?.text).toMatch(/ECONNREFUSED.*ser2net/);
    expect(finding("program")).toMatchObject({
      state: "missing",
      text: expect.stringContaining("there is no no-such-client") as unknown,
    });
    await line.close();
    await pair.close();
  });

  test("looks at the programs that the devices' methods and commands need, and at no others", async () => {
    const bin = path.join(folder, "bin");
    mkdirSync(bin);
    for (const name of ["tar", "git", "xz", "pdu-tool"]) {
      write(`bin/${name}`, "#!/bin/sh\n", 0o755);
    }
    vi.stubEnv("PATH", bin);
    await addDevice(
      "phone",
      { power_on: ["pdu-tool on 1"], power_off: "nowhere-tool off 1" },
      {
        deploy: { "no-such": null, fastboot: {}, uuu: {} },
      },
    );
    await addDevice(
      "guest",
      { hard_reset: "pumice-power tasmota http://plug 1 cycle" },
      {
        boot: { qemu: { parameters: { command: "qemu-system-riscv64-none" } } },
      },
    );
    const { findings, states, finding } = await diagnose();
    expect(finding("fastboot")).toEqual({
      state: "missing",
      what: "fastboot",
      text: "not found, for deploy and boot: fastboot (phone): install fastboot",
    });
    // As device types have it for nearly every board.
    expect(finding("uuu")?.state).toBe("note");
    expect(finding("qemu-system-riscv64-none")?.text).toMatch(
      /not found, for boot: qemu \(guest\)/,
    );
    const ofPhone = findings.filter(({ what }) => what === "phone").map(({ text }) => text);
    expect(ofPhone).toEqual([
      "power_on: pdu-tool",
      "power_off: nowhere-tool not found on this machine",
    ]);
    expect(states).toContain("ok guest");
    expect(states.join()).not.toMatch(/nbd-server|openocd|tftp|nfs-/);
  });

  test("knows the agent that runs", async () => {
    const workDir = path.join(folder, "work");
    const lock = lockWorkDir(workDir);
    expect((await diagnose()).finding("agent")?.text).toBe(
      `process ${process.pid} runs on ${workDir}`,
    );
    lock.release();
    expect((await diagnose()).finding("agent")?.state).toBe("note");
  });
});

test("what a job has now is not touched", async () => {
  const line = await startLineServer(() => {});
  const commands = { connect: `telnet localhost ${line.port}`, power_on: "sh -c true" };
  const device = { hostname: "busy", device_type: "x", configuration: { commands } };
  const findings = await deviceFindings([{ ...device, is_busy: true }]);
  expect(line.sockets).toHaveLength(0);
  expect(findings.map(({ text }) => text)).toEqual([
    "a job has it now: its connections are not touched",
    "power_on: sh",
  ]);
  await line.close();
});

test("without a control plane it looks at this machine: a line each, 1 when something is missing, 2 for settings it can't read", async () => {
  const settings = readWorkerSettings(path.join(folder, "none.env"), {});
  const lines: string[] = [];
  const run = (dispatcher: string): Promise<number> =>
    runDoctor({ settings, workDir: folder, dispatcherFile: write("d.yaml", dispatcher) }, (line) =>
      lines.push(line),
    );
  expect(await run("dispatcher_ip: 127.0.0.1\ntftp_dir: /nonexistent\n")).toBe(1);
  expect(lines.find((line) => /^missing +tftp +tftp_dir \/nonexistent/.test(line))).toBeTruthy();
  expect(lines.find((line) => /^ok +tar +overlays/.test(line))).toBeTruthy();
  expect(lines[0]).toMatch(/^note +control plane +.*none\.env names none/);
  expect(await run("dispatcher_ip: [\n")).toBe(2);
});
