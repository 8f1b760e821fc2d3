import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";

const root = path.resolve(import.meta.dirname, "../..");

/**
 * A whole lab of its own for one measurement: control plane and agent as separate processes on a
 * free port, `devices` QEMU devices, the guest's files. `close` ends and removes everything.
 */
export async function startLab({ devices = 1 } = {}) {
  const dir = mkdtempSync(path.join(tmpdir(), "pumice-bench-"));
  const guest = execFileSync(process.execPath, [path.join(root, "scripts/make-guest.mjs")], {
    encoding: "utf8",
  }).trim();
  const server = start("pumice.mjs", [
    "serve",
    "--data",
    path.join(dir, "data"),
    "--listen",
    "127.0.0.1:0",
  ]);
  const url = await firstUrl(server);
  const token = readFileSync(path.join(dir, "data/admin-token"), "utf8").trim();

  async function api(method, where, body, type = "application/json") {
    const answer = await fetch(`${url}/api/v1${where}`, {
      method,
      headers: { authorization: `Bearer ${token}`, "content-type": type },
      ...(body === undefined
        ? {}
        : { body: typeof body === "string" ? body : JSON.stringify(body) }),
    });
    if (!answer.ok) throw new Error(`${method} ${where}: ${answer.status} ${await answer.text()}`);
    return answer.json();
  }

  const worker = await api("POST", "/workers", { name: "bench" });
  const tokenFile = path.join(dir, "worker-token");
  writeFileSync(tokenFile, worker.token, { mode: 0o600 });
  const configuration = readFileSync(path.join(root, "docs/examples/qemu-device.yaml"), "utf8");
  for (let n = 1; n <= devices; n++) {
    await api("PUT", `/devices/qemu-0${n}`, {
      device_type: "qemu",
      worker: "bench",
      configuration,
    });
  }
  const workDir = path.join(dir, "worker");
  const agent = start("pumice-worker.cjs", [
    "start",
    "--url",
    url,
    "--token-file",
    tokenFile,
    "--work-dir",
    workDir,
  ]);
  while ((await api("GET", "/workers/bench")).state !== "Online") await pause(20);

  return {
    url,
    api,
    workDir,
    serverPid: server.pid,
    agentPid: agent.pid,
    job: (name) =>
      readFileSync(path.join(root, "docs/examples", name), "utf8").replaceAll("@GUEST@", guest),
    submit: async (text) => (await api("POST", "/jobs", text, "application/yaml")).job_ids[0],
    close: async () => {
      for (const child of [agent, server]) {
        if (child.exitCode !== null) continue;
        child.kill("SIGTERM");
        await once(child, "exit");
      }
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

export const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

function start(program, args) {
  return spawn(process.execPath, [path.join(root, "dist", program), ...args], {
    stdio: ["ignore", "pipe", "pipe"],
  });
}

async function firstUrl(child) {
  let seen = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (data) => (seen += data));
  for (;;) {
    const found = /http:\/\/[^\s]+/.exec(seen);
    if (found) return found[0];
    if (child.exitCode !== null) throw new Error(`the control plane ended: ${seen}`);
    await pause(10);
  }
}
