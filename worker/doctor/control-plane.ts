import { lookup } from "node:dns/promises";
import { readFileSync, statSync } from "node:fs";
import net from "node:net";
import { workerDevicesSchema, type WorkerDevices } from "#protocol/worker-devices.ts";
import { check } from "../agent/check.ts";
import { HttpClient, HttpError } from "../host/http-client.ts";
import { meaningOf } from "../host/network/explain.ts";
import { lookAtCertificate } from "../host/network/network.ts";
import { exceptionFor, hostOf, proxyFor, type Proxy } from "../host/network/proxy.ts";
import { parsePins, pinOf } from "../host/network/trust.ts";
import { isBad, messageOf, missing, note, ok, wrong, type Finding } from "./finding.ts";

const TIMEOUT_MS = 15_000;
const DAY_MS = 24 * 3600_000;
/** When somebody should think of a new certificate. */
const SOON_DAYS = 14;
/** As the agent's: more than this is told. */
const OFF_SECONDS = 30;

export interface ControlPlaneLook {
  readonly findings: Finding[];
  /** What the control plane tells of this worker; undefined when it can't be asked. */
  readonly told?: WorkerDevices;
}

/** The way to the control plane, in the order in which it can fail: proxy, name, TLS, the server, clocks, the token. */
export async function lookAtControlPlane(
  address: string,
  tokenFile: string | undefined,
  env: NodeJS.ProcessEnv = process.env,
): Promise<ControlPlaneLook> {
  const url = URL.canParse(address) ? new URL(address) : undefined;
  if (!url || !/^https?:$/.test(url.protocol)) {
    const text = `${address}: expected a URL that begins with https:// or http:// (PUMICE_URL)`;
    return { findings: [wrong("url", text)] };
  }
  const findings = await wayFindings(url, env);
  if (findings.some(isBad)) return { findings };
  let serverMs: number | undefined;
  const http = new HttpClient(address, { env, onServerTime: (ms) => (serverMs = ms + 500) });
  try {
    const reached = await reach(http, address);
    findings.push(reached);
    if (serverMs !== undefined) findings.push(clockFinding(serverMs));
    if (isBad(reached)) return { findings };
    const { finding, told } = await askDevices(http, tokenFile);
    return { findings: [...findings, finding], ...(told ? { told } : {}) };
  } finally {
    http.close();
  }
}

async function wayFindings(url: URL, env: NodeJS.ProcessEnv): Promise<Finding[]> {
  let proxy: Proxy | undefined;
  const findings: Finding[] = [];
  try {
    proxy = proxyFor(url, env);
    findings.push(proxyFinding(url, proxy, env));
  } catch (error) {
    return [wrong("proxy", messageOf(error))];
  }
  // A proxy looks the server's name up by itself.
  const name = await nameFinding(proxy ? hostOf(proxy.url) : hostOf(url));
  findings.push(name);
  if (isBad(name)) return findings;
  return [
    ...findings,
    ...(url.protocol === "https:" ? [await tlsFinding(url, env)] : plainFinding(url, env)),
  ];
}

function plainFinding(url: URL, env: NodeJS.ProcessEnv): Finding[] {
  if (env["PUMICE_PIN"])
    return [wrong("tls", "PUMICE_PIN is of no use with http://: is it https://?")];
  const isHere = /^(localhost|127\.\d+\.\d+\.\d+|::1)$/.test(hostOf(url));
  return isHere ? [] : [note("tls", "http://: the token and the logs can be read on the way")];
}

function proxyFinding(url: URL, proxy: Proxy | undefined, env: NodeJS.ProcessEnv): Finding {
  if (proxy) {
    const who = proxy.user === undefined ? "" : `, as user ${proxy.user}`;
    return ok("proxy", `${proxy.name} (${proxy.setting})${who}`);
  }
  const entry = exceptionFor(url, env);
  return ok("proxy", entry === undefined ? "none" : `none, by NO_PROXY (${entry})`);
}

async function nameFinding(host: string): Promise<Finding> {
  if (net.isIP(host) !== 0) return ok("name", `${host} is an address`);
  try {
    const found = await lookup(host, { all: true });
    return ok("name", `${host} is ${found.map(({ address }) => address).join(", ")}`);
  } catch (error) {
    const why = meaningOf(error, host) ?? messageOf(error);
    return wrong("name", `${why}: look at the URL, and at this machine's /etc/resolv.conf`);
  }
}

async function tlsFinding(url: URL, env: NodeJS.ProcessEnv): Promise<Finding> {
  const what = "tls";
  try {
    const pins = env["PUMICE_PIN"] ? parsePins(env["PUMICE_PIN"]) : [];
    const { certificate, problem } = await lookAtCertificate(url, env);
    const issuer = certificate.issuer.split("\n").at(-1) ?? "";
    const until = certificate.validTo;
    if (pins.length > 0) {
      const pin = pinOf(certificate);
      return pins.includes(pin)
        ? ok(
            what,
            `the pinned key (certificate of ${issuer}, until ${until}, which counts for nothing)`,
          )
        : wrong(
            what,
            `another key (${pin}) than the pinned one: if it was renewed on purpose, enrol again; else somebody is in between`,
          );
    }
    if (problem !== undefined) {
      const message = certificate.subjectAltName ?? "";
      const meaning = meaningOf({ code: problem, message: `altnames: ${message}` }, hostOf(url));
      return wrong(
        what,
        `${meaning ?? problem} (issued by ${issuer}, ${certificate.validFrom} to ${until})`,
      );
    }
    const days = Math.floor((Date.parse(until) - Date.now()) / DAY_MS);
    const text = `certificate of ${issuer}, until ${until}`;
    return days < SOON_DAYS
      ? note(what, `${text}: ${days} days left, is it renewed in time?`)
      : ok(what, text);
  } catch (error) {
    return wrong(what, messageOf(error));
  }
}

async function reach(http: HttpClient, address: string): Promise<Finding> {
  try {
    const answer = await http.request({
      method: "GET",
      url: "api/v1/health",
      timeoutMs: TIMEOUT_MS,
    });
    const { version, engine } = (answer ?? {}) as { version?: string; engine?: string };
    if (version === undefined)
      return wrong("server", `what answers at ${address} is no control plane`);
    return ok("server", `${address}, version ${version}${engine ? ` (${engine})` : ""}`);
  } catch (error) {
    return wrong("server", messageOf(error));
  }
}

function clockFinding(serverMs: number): Finding {
  const now = Date.now();
  const seconds = Math.round((now - serverMs) / 1000);
  if (Math.abs(seconds) <= OFF_SECONDS) return ok("clock", "as the control plane's");
  const text = `it says ${new Date(now).toISOString().slice(0, 19)}Z, ${Math.abs(seconds)} s ${seconds > 0 ? "ahead of" : "behind"} the control plane's: set it, and keep it by NTP (systemd-timesyncd, chrony)`;
  return wrong("clock", text);
}

async function askDevices(
  http: HttpClient,
  tokenFile: string | undefined,
): Promise<{ finding: Finding; told?: WorkerDevices }> {
  const what = "token";
  if (tokenFile === undefined) {
    return { finding: missing(what, `no file is named (PUMICE_TOKEN_FILE): pumice-worker enrol`) };
  }
  let token: string;
  try {
    token = readFileSync(tokenFile, "utf8").trim();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const how =
      code === "ENOENT"
        ? "isn't there: pumice-worker enrol"
        : "may not be read by this user: run this as the worker's user, or as root";
    return { finding: missing(what, `${tokenFile} ${how}`) };
  }
  try {
    const answer = await http.request({
      method: "GET",
      url: "api/v1/worker/devices",
      token,
      timeoutMs: TIMEOUT_MS,
      maxAnswerBytes: 32 * 1024 * 1024,
    });
    const told = check(workerDevicesSchema, answer, "the answer to worker/devices");
    return { finding: tokenFinding(tokenFile, told), told };
  } catch (error) {
    return { finding: wrong(what, refusalOf(error, tokenFile)) };
  }
}

function tokenFinding(file: string, { worker, devices }: WorkerDevices): Finding {
  const text = `worker ${worker}, devices: ${devices.length}`;
  const isOpen = (statSync(file).mode & 0o077) !== 0;
  return isOpen
    ? note("token", `${text}; others may read ${file}: chmod 600 it`)
    : ok("token", text);
}

function refusalOf(error: unknown, file: string): string {
  const status = error instanceof HttpError ? error.status : 0;
  if (status === 401)
    return `${file}: the control plane doesn't know it (any more): it was revoked, or is of another lab. Enrol this machine again`;
  if (status === 403)
    return `${file}: it is no worker's token: enrol this machine, or make one by "pumice workers add"`;
  if (status === 404)
    return "the control plane is older than this worker, and can't tell its devices: upgrade it first";
  return messageOf(error);
}
