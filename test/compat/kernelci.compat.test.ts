import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startFileShelf, type FileShelf } from "../beds/file-shelf.ts";
import { hookReceiver, type HookReceiver } from "../support/hook-receiver.ts";
import { freePort } from "../support/loopback-ports.ts";
import { pumiceProgram } from "../support/pumice-program.ts";
import { guestDir, processesOf, root, until } from "../support/real-lab.ts";
import { recorded } from "../support/recorded-calls.ts";
import { workerProgram } from "../support/worker-program.ts";
import { lacking } from "../support/lacking.ts";

/** With requests and PyYAML, which lavacli needs. */
const PYTHON = "/usr/bin/python3";
const hasPython = spawnSync(PYTHON, ["-c", "import requests, yaml"]).status === 0;

/*
 * A lab as docs/kernelci.md sets it up, and a client that asks and reads as KernelCI's pipeline does. That pipeline itself
 * (kernelci-core) is in no registry of packages in any version of today.
 */
describe.skipIf(lacking(!hasPython, "Python has no requests or yaml"))(
  "KernelCI's pipeline",
  () => {
    let dir: string;
    let hooks: HookReceiver;
    let shelf: FileShelf;
    let programs: { file: string; remove: () => void }[];
    let server: ChildProcess;
    let worker: ChildProcess;
    let url = "";
    let token = "";

    beforeAll(async () => {
      dir = mkdtempSync(path.join(tmpdir(), "pumice-kernelci-"));
      hooks = await hookReceiver();
      const guest = guestDir();
      shelf = await startFileShelf({
        bzImage: path.join(guest, "vmlinuz"),
        "rootfs.cpio.gz": path.join(guest, "initramfs.cpio.gz"),
      });
      programs = [await pumiceProgram(), await workerProgram()];
      const [plane, agent] = programs.map(({ file }) => file) as [string, string];
      symlinkSync(
        path.join(root, "device-templates"),
        path.join(path.dirname(plane), "device-templates"),
      );
      const data = path.join(dir, "data");
      server = spawn(
        process.execPath,
        [plane, "serve", "--data", data, "--listen", "127.0.0.1:0"],
        {
          stdio: ["ignore", "pipe", "pipe"],
        },
      );
      let said = "";
      for (const stream of [server.stdout, server.stderr]) {
        stream?.on("data", (text: Buffer) => (said += String(text)));
      }
      await until(() => /http:\/\/\S+\s/.test(said));
      url = /http:\/\/[^\s/]+/.exec(said)![0];
      await setUp(agent, readFileSync(path.join(data, "admin-token"), "utf8").trim());
    });
    afterAll(async () => {
      for (const child of [worker, server].filter((one) => one !== undefined)) {
        child.kill("SIGKILL");
        await once(child, "exit");
      }
      for (const pid of processesOf(dir)) process.kill(pid, "SIGKILL");
      for (const program of programs) program.remove();
      await Promise.all([hooks.close(), shelf.close()]);
      rmSync(dir, { recursive: true, force: true });
    });

    async function api<T>(
      method: string,
      where: string,
      bearer: string,
      body: unknown,
    ): Promise<T> {
      const answer = await fetch(`${url}/api/v1${where}`, {
        method,
        headers: { authorization: `Bearer ${bearer}`, "content-type": "application/json" },
        body: JSON.stringify(body),
      });
      if (!answer.ok) throw new Error(`${where}: ${answer.status} ${await answer.text()}`);
      return (await answer.json()) as T;
    }

    /** As docs/kernelci.md says. */
    async function setUp(agent: string, admin: string): Promise<void> {
      await api("POST", "/users", admin, { name: "kernelci" });
      const tokenOf = async (more = {}) =>
        (await api<{ token: string }>("POST", "/tokens", admin, { subject: "kernelci", ...more }))
          .token;
      const secret = { value: "s3cret-of-the-pipeline" };
      await api("PUT", "/secrets/kernelci-callback", await tokenOf(), secret);
      token = await tokenOf({ scopes: ["submit"] });
      const notices = { private_hosts: ["127.0.0.1"] };
      await api("PUT", "/settings", admin, { settings: { notices } });
      const bench = await api<{ token: string }>("POST", "/workers", admin, { name: "bench" });
      await api("PUT", "/devices/qemu-01", admin, {
        device_type: "qemu",
        worker: "bench",
        dictionary:
          "{% extends 'qemu.jinja2' %}\n{% set no_kvm = True %}\n{% set memory = 256 %}\n",
      });
      const grant = { to: "user:kernelci", permission: "submit" };
      await api("POST", "/permissions/device-type/qemu", admin, grant);
      const tokenFile = path.join(dir, "worker-token");
      writeFileSync(tokenFile, bench.token, { mode: 0o600 });
      const args = ["--url", url, "--token-file", tokenFile, "--work-dir", path.join(dir, "work")];
      worker = spawn(process.execPath, [agent, "start", ...args], { stdio: "ignore" });
    }

    /** What the client prints. */
    async function client(args: string[], input = ""): Promise<string> {
      const child = spawn(PYTHON, [path.join(import.meta.dirname, "kernelci-client.py"), ...args], {
        stdio: ["pipe", "pipe", "inherit"],
      });
      let text = "";
      child.stdout.on("data", (data: Buffer) => (text += String(data)));
      child.stdin.end(input);
      const [code] = (await once(child, "close")) as [number];
      expect(code).toBe(0);
      return text.trim();
    }
    const submit = async (job: string) => Number(await client(["submit", url, token], job));

    /** What the pipeline makes of the callback about a node. */
    async function told(node: string) {
      const isOf = ({ path: where }: { path: string }): boolean => where === `/node/${node}`;
      await until(() => hooks.received.some(isOf));
      const { body, method, headers } = hooks.received.find(isOf)!;
      expect(method).toBe("POST");
      expect(headers["content-type"]).toContain("application/json");
      expect(headers.authorization).toBe("s3cret-of-the-pipeline");
      return JSON.parse(await client(["callback"], body)) as Record<string, unknown>;
    }

    // First: after a job for whose end the lab is to blame a device is not known to be good.
    test("sees how long the queue of a device type is, and which of its devices are good", async () => {
      expect(JSON.parse(await client(["queue", url, token, "qemu"]))).toEqual([0, ["qemu-01"]]);
      recorded("KernelCI", "length of a queue, devices by type");
    });

    test("submits a job, waits for it, and is told by a callback of all that it found", async () => {
      const id = await submit(job("65a1", STEPS, `${shelf.url}bzImage`));
      recorded("KernelCI", "submission by REST");
      expect(await client(["wait", url, token, String(id)])).toBe("Complete");
      recorded("KernelCI", "polling until Finished");
      const found = await told("65a1");
      expect(found).toMatchObject({
        ...{ node: "65a1", result: "pass", device: "qemu-01", login: "pass", kernelmsg: "pass" },
        tests: {
          baseline: { linux: "pass", broken: "fail", "not-run": "skip", cpu: { "in-set": "pass" } },
        },
        measurements: { "boot-time": "12.5000000000" },
      });
      expect(found["error_code"] ?? null).toBeNull();
      expect(found["console"]).toContain("Linux version");
      expect(found["console"]).toContain("[1mbold");
      expect(JSON.stringify(hooks.received)).not.toContain(token);
      recorded("KernelCI", "callback with dataset: all");
      recorded("KernelCI", "callback token by name");
    });

    test("is told that the lab was at fault, and why", async () => {
      // Nobody listens there.
      const gone = `http://127.0.0.1:${await freePort()}/bzImage`;
      await submit(job("65a2", STEPS, gone));
      const found = await told("65a2");
      expect(found).toMatchObject({
        result: "incomplete",
        error_code: "Infrastructure",
        tests: {},
      });
      expect(found["error_msg"]).toContain("bzImage");
    });

    test("is told that a test ended its job", async () => {
      await submit(job("65a3", ["lava-test-raise no-such-subsystem"], `${shelf.url}bzImage`));
      const found = await told("65a3");
      expect(found).toMatchObject({ result: "incomplete", error_code: "Test", login: "pass" });
      expect(found["error_msg"]).toContain("no-such-subsystem");
      recorded("KernelCI", "error_type in suite lava");
    });

    test("is told of a job that somebody canceled", async () => {
      const id = await submit(job("65a4", ["sleep 600"], `${shelf.url}bzImage`));
      await until(async () => (await logOf(id)).includes("sleep 600"), 200);
      await fetch(`${url}/api/v0.2/jobs/${id}/cancel/`, { headers: asPipeline() });
      expect(await told("65a4")).toMatchObject({ result: "incomplete", error_code: "Canceled" });
    });

    const asPipeline = () => ({ authorization: `Token ${token}` });
    const logOf = async (id: number): Promise<string> =>
      (await fetch(`${url}/api/v0.2/jobs/${id}/logs/`, { headers: asPipeline() })).text();

    const STEPS = [
      "lava-test-case linux --shell uname -a",
      "lava-test-case broken --result fail",
      "lava-test-case not-run --result skip",
      "lava-test-case boot-time --result pass --measurement 12.5 --units seconds",
      "lava-test-set start cpu",
      "lava-test-case in-set --result pass",
      "lava-test-set stop cpu",
      "printf '\\033[1mbold\\n'",
    ];

    /** In the shape of those that its templates make: keys sorted, and all that they have beside the test itself. */
    const job = (node: string, steps: readonly string[], kernel: string): string => `actions:
- deploy:
    images:
      kernel:
        image_arg: -kernel {kernel} -append "console=ttyS0,115200 root=/dev/ram0 debug verbose console_msg_format=syslog earlycon"
        url: ${kernel}
      ramdisk:
        compression: gz
        format: cpio.newc
        image_arg: -initrd {ramdisk}
        overlays: {lava: true}
        url: ${shelf.url}rootfs.cpio.gz
    os: oe
    timeout: {minutes: 3}
    to: tmpfs
- boot:
    failure_retry: 3
    media: tmpfs
    method: qemu
    prompts: ['root@pumice:[^#]*# ']
    timeout: {minutes: 20}
    timeouts:
      auto-login-action: {minutes: 6}
      bootloader-commands: {minutes: 3}
      login-action: {minutes: 2}
- test:
    definitions:
    - from: inline
      lava-signal: kmsg
      name: baseline
      path: inline/baseline.yaml
      repository:
        metadata:
          description: baseline test plan
          environment: [lava-test-shell]
          format: Lava-Test Test Definition 1.0
          name: baseline
          os: [debian]
          scope: [functional]
        run:
          steps:
${steps.map((step) => `          - ${JSON.stringify(step)}`).join("\n")}
    timeout: {minutes: 5}
context: {arch: x86_64}
device_type: qemu
job_name: '[KernelCI staging] ${node} baseline-x86 v6.7-rc1'
metadata: {api_config_name: staging, node_id: ${node}, storage_config_name: staging-azure}
notify:
  callback:
    content-type: json
    dataset: all
    method: POST
    token: kernelci-callback
    url: ${hooks.url}/node/${node}
  criteria: {status: finished}
priority: 10
timeouts:
  action: {minutes: 10}
  actions:
    power-off: {seconds: 30}
  job: {minutes: 20}
  queue: {days: 2}
visibility: public
`;
  },
);
