import { spawn, type ChildProcess } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { JobView } from "#protocol/api.ts";
import { startCloudPlane, type CloudPlane } from "../support/aws/cloud-plane.ts";
import { processesOf, until } from "../support/real-lab.ts";
import { recorded } from "../support/recorded-calls.ts";
import { endProcess } from "../support/serve-process.ts";
import { hasLavacli } from "./lavacli-bench.ts";
import { hasLavaWorker, stockJob } from "./stock-bench.ts";
import { lacking } from "../support/lacking.ts";

const { bundleLambda } = (await import(
  new URL("../../scripts/bundle-lambda.mjs", import.meta.url).href
)) as { bundleLambda: (outDir: string) => Promise<void> };

/*
 * LAVA's event stream of a lab in AWS: the bundled functions on emulators, with API Gateway's WebSockets and the table's stream; and
 * LAVA's own programs that listen.
 */
describe.skipIf(lacking(!hasLavaWorker || !hasLavacli, "lavacli or lava-worker is missing"))(
  "LAVA's event stream in AWS",
  () => {
    const dir = mkdtempSync(path.join(tmpdir(), "pumice-cloud-events-"));
    const workDir = path.join(dir, "worker");
    let plane: CloudPlane;
    let program: ChildProcess | undefined;
    beforeAll(async () => {
      await bundleLambda(path.join(dir, "lambda"));
      plane = await startCloudPlane({ folder: path.join(dir, "lambda"), hasEvents: true });
    });
    afterAll(async () => {
      if (program) await endProcess(program, "SIGKILL");
      for (const pid of processesOf(workDir)) process.kill(pid, "SIGKILL");
      await plane?.close();
      rmSync(dir, { recursive: true, force: true });
    });

    async function api<T>(method: string, where: string, body?: unknown): Promise<T> {
      const answer = await fetch(`${plane.url()}/api/v1${where}`, {
        method,
        headers: { authorization: `Bearer ${plane.adminToken}` },
        ...(body === undefined
          ? {}
          : { body: typeof body === "string" ? body : JSON.stringify(body) }),
      });
      if (!answer.ok)
        throw new Error(`${method} ${where}: ${answer.status} ${await answer.text()}`);
      return (await answer.json().catch(() => undefined)) as T;
    }
    const isListening = () => until(async () => plane.cloud.events?.open().length === 1);

    test("a stock lava-worker asks at once when it has something to do", async () => {
      const { token } = await api<{ token: string }>("POST", "/workers", { name: "stock" });
      const dictionary = "{% extends 'qemu.jinja2' %}\n{% set no_kvm = True %}\n";
      await api("PUT", "/devices/qemu-01", { device_type: "qemu", worker: "stock", dictionary });
      const ws = `${plane.cloud.events?.url}?token=${token}`;
      const own = ["--worker-dir", workDir, "--log-file", path.join(dir, "worker.log")];
      const pace = ["--ping-interval", "600", "--name", "stock", "--token", token, "--ws-url", ws];
      program = spawn("/usr/bin/lava-worker", ["--url", plane.url(), ...own, ...pace], {
        stdio: ["ignore", "ignore", "inherit"],
      });
      await isListening();
      await until(
        async () => (await api<{ state: string }>("GET", "/workers/stock")).state === "Online",
      );
      const job = stockJob("http://127.0.0.1:9", ["true"]);
      const { job_ids } = await api<{ job_ids: [number] }>("POST", "/jobs", job);
      // By its own pace it would come after ten minutes.
      await until(
        async () => (await api<JobView>("GET", `/jobs/${job_ids[0]}`)).state === "Running",
      );
      recorded("Events", "lava-worker --ws-url, in AWS");
      await endProcess(program, "SIGKILL");
      program = undefined;
      await until(async () => plane.cloud.events?.open().length === 0);
    });

    test("lavacli finds it at the lab's own address, in a lab that is shown to everybody", async () => {
      const access = { permissions: { view: ["anonymous"] } };
      await api("PUT", "/settings", { settings: { access } });
      const env = { PATH: process.env["PATH"], HOME: dir, PYTHONUNBUFFERED: "1" };
      const lavacli = spawn(
        "/usr/bin/lavacli",
        ["--uri", `${plane.url()}/RPC2`, "events", "listen"],
        {
          ...{ env, cwd: dir, stdio: ["ignore", "pipe", "inherit"] },
        },
      );
      program = lavacli;
      let said = "";
      lavacli.stdout?.on("data", (data: Buffer) => (said += String(data)));
      await isListening();
      await api("POST", "/workers/stock/health", { health: "Maintenance" });
      await until(async () => said.includes("[stock] state="));
      expect(said).toContain("health=Maintenance");
      recorded("Events", "lavacli events listen, in AWS");
    });
  },
);
