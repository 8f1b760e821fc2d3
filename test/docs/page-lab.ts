import { createHash } from "node:crypto";
import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import path from "node:path";
import { gzipSync } from "node:zlib";
import { runningJob } from "../support/browser-session.ts";
import { addRelease, aRelease, aSigner, type Signer } from "../support/a-release.ts";
import { aJob } from "../support/builders.ts";
import type { listeningLab } from "../support/listening-lab.ts";
import { sampleLog } from "../support/sample-log.ts";
import { selfSigned } from "../support/self-signed.ts";

/** The lab and the folder that the pages' commands are typed in. */
export type PageLab = Awaited<ReturnType<typeof listeningLab>>;

const root = path.resolve(import.meta.dirname, "../..");
const OLD = { version: "0.0.9", platform: "linux-x64" } as const;
const DEVICES = {
  ...{ "board-1": "qemu", "board-01": "qemu", "qemu-03": "qemu", "virt-01": "qemu" },
  ...{ "imx8-03": "imx8mn-evk", "bbb-01": "beaglebone-black", "bbb-07": "beaglebone-black" },
};

/** Workers, devices, people and jobs that a page takes for granted: what its commands do not add themselves. */
export async function makeLab(lab: PageLab, commands: string): Promise<Signer> {
  const own = (what: RegExp) => {
    const added = new Set([...commands.matchAll(what)].map(([, name]) => name));
    return (name: string) => !added.has(name);
  };
  const workers = ["bench", "bench-1", "shelf", "rack-7"];
  const tokens = new Map<string, string>();
  for (const name of workers.filter(own(/\bpumice workers (?:add|enrol) (\S+)/g)))
    tokens.set(name, await lab.addWorker(name));
  const [[worker, token] = ["", ""]] = tokens;
  for (const name of Object.keys(DEVICES).filter(own(/\bpumice devices add (\S+)/g))) {
    await writeVersions(lab, name, worker);
    await lab.api(`/devices/${name}/health`, { body: { health: "Good" } });
  }
  for (const name of ["ann", "alice", "ada", "bob"].filter(own(/\bpumice users add (\S+)/g)))
    await lab.addUser(name);
  for (const name of ["kernel"].filter(own(/\bpumice groups add (\S+)/g)))
    await lab.api(`/groups/${name}`, { method: "PUT", body: { members: [] } });
  for (const one of tokens.values()) await lab.sync(one, [], OLD);
  // A job that runs keeps its device from being removed.
  const device = ["qemu-03", "board-1"].find(own(/\bpumice devices add (\S+)/g));
  if (!commands.includes("--prune") && device !== undefined) await makeJobs(lab, token, device);
  const signer = aSigner();
  await addRelease(lab, signer, aRelease(signer, "0.2.0"));
  return signer;
}

/** Its dictionary, with a history of three. */
export async function writeVersions(lab: PageLab, name: string, worker: string): Promise<void> {
  const device_type = DEVICES[name as keyof typeof DEVICES];
  const tags = name === "virt-01" ? ["kvm"] : [];
  for (const comment of ["one", "two", "three"]) {
    const dictionary = `{% extends '${device_type}.jinja2' %}\n{# ${comment} #}\n`;
    const device = { device_type, worker, tags, dictionary, configuration: undefined };
    await lab.addDevice(name, device);
  }
}

/** Thirteen, of which the first have ended with results, the next one runs and the last wait. */
async function makeJobs(lab: PageLab, token: string, device: string): Promise<void> {
  const lines = [`device: ${device}`];
  for (let n = 1; n <= 2; n++) {
    const job = await runningJob(lab, token, { lines });
    const records = sampleLog("2026-03-01T12:00:00Z");
    await lab.ship(job.id, job.token, 0, records);
    await lab.finish(job.id, job.token, { result: "pass", lines: records.length });
    await lab.sync(token, [], OLD);
  }
  for (let n = 3; n <= 13; n++) await lab.submit(aJob({ lines }));
}

/** A callback of the fourteenth job, which a page that is not there has refused. */
export async function makeNotice(lab: PageLab): Promise<void> {
  await lab.request("/settings", {
    method: "PUT",
    body: { settings: { notices: { private_hosts: ["127.0.0.1"] } } },
  });
  const callback = `callback: {url: "${lab.url}/nobody"}`;
  const notify = `notify: {criteria: {status: finished}, ${callback}}`;
  // It waits behind the others.
  const id = await lab.submit(aJob({ lines: ["device: qemu-03", notify] }));
  await lab.api(`/jobs/${id}/cancel`, { method: "POST" });
  await lab.settled();
}

/** People may sign in with accounts of that name. */
export async function takeAccounts(lab: PageLab, name: string): Promise<void> {
  const oidc = [{ name, issuer: "https://gitlab.example.org", client_id: "pumice" }];
  await lab.request("/settings", { method: "PUT", body: { settings: { sign_in: { oidc } } } });
}

/** What the pages' commands find in the folder where they are typed. */
export function makeFiles(folder: string, adminToken: string, signer: Signer): void {
  const docs = path.join(root, "docs");
  const write = (name: string, text: string | Buffer) => {
    const file = path.join(folder, name);
    mkdirSync(path.dirname(file), { recursive: true });
    writeFileSync(file, text);
  };
  const example = (name: string, to: string) =>
    cpSync(path.join(docs, "examples", name), path.join(folder, to), { recursive: true });
  symlinkSync(path.join(root, "device-templates"), path.join(folder, "device-templates"));
  example(".", "docs/examples");
  example("lab", "lab");
  example("qemu/virt-01.jinja2", "virt-01.jinja2");
  example("uboot/board-01.jinja2", "board-01.jinja2");
  example("uboot/board-01.jinja2", "board.jinja2");
  example("fastboot/phone-01.jinja2", "phone-01.jinja2");
  example("tests/network.sh", "network.sh");
  write("job.yaml", aJob());
  for (const name of ["bbb-01.jinja2", "board-1.jinja2", "lab/devices/bbb-01.jinja2"])
    write(name, "{% extends 'beaglebone-black.jinja2' %}\n");
  write("jobs/bbb-boot.yaml", jobOf("uboot", "beaglebone-black"));
  write("password.txt", "a few words\n");
  write("token.txt", "glpat-0123456789\n");
  write("callback-token.txt", "a token of KernelCI\n");
  write("cabling.md", "The red cable is UART1.\n");
  write("cabling.jpg", Buffer.from("ffd8ffe000104a46494600010100000100010000ffd9", "hex"));
  write("archive/2026/11/22/4711/output.yaml.gz", gzipSync('- {msg: "Oops: 0002"}\n'));
  for (const name of [
    ".lab/control-plane/admin-token",
    "var/lib/pumice/admin-token",
    ".pumice-token",
    "pumice.admin-token",
  ])
    write(name, `${adminToken}\n`);
  // Of a release as scripts/build makes it, for those who check what they were given.
  const { request } = aRelease(signer, "0.2.0");
  const { manifest, signature } = request;
  for (const to of ["", "dist/"]) {
    write(`${to}manifest.json`, manifest);
    write(`${to}manifest.json.sig`, signature);
    write(`${to}pumice-worker-linux-x64`, "worker 0.2.0");
  }
  write("release.key.pub", signer.publicPem);
  const sums = `${createHash("sha256").update(manifest).digest("hex")}  manifest.json\n`;
  write("SHA256SUMS", sums);
  write("SHA256SUMS.sig", signer.sign(sums));
  // Pages on certificates begin with the server's.
  selfSigned(folder, "server");
  write(".curlrc", "fail-with-body\n");
}

/** The job of a walk-through, for this device type. */
export const jobOf = (example: string, deviceType: string): string =>
  readFileSync(path.join(root, "docs/examples", example, "job.yaml"), "utf8").replace(
    /^device_type: .*$/m,
    `device_type: ${deviceType}`,
  );
