import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { makeAuthority } from "../support/certificates.ts";
import { freePort, untilListening } from "../support/loopback-ports.ts";

const SLAPD = "/usr/sbin/slapd";
const SLAPADD = "/usr/sbin/slapadd";

/** Why this machine can't have it; undefined when it can. */
export const cannotStart = (): string | undefined =>
  existsSync(SLAPD) ? undefined : `${SLAPD} is missing: install slapd`;

export interface Directory {
  readonly url: string;
  readonly tlsUrl: string;
  /** Certificate of the authority that its own is of, PEM. */
  readonly ca: string;
  close(): Promise<void>;
}

export const BASE = "dc=example,dc=org";
export const READER = { dn: `cn=reader,${BASE}`, password: "the lab's own password" };

/**
 * Debian's slapd on two loopback ports with entries in LDIF. Nobody reads anything without a password; a person reads all when
 * they have bound.
 */
export async function startSlapd(ldif: string): Promise<Directory> {
  const problem = cannotStart();
  if (problem) throw new Error(problem);
  const folder = mkdtempSync(path.join(tmpdir(), "pumice-slapd-"));
  const authority = makeAuthority();
  const { key, cert } = authority.issue(["DNS:localhost", "IP:127.0.0.1"]);
  const file = (name: string, text: string): string => {
    writeFileSync(path.join(folder, name), text, { mode: 0o600 });
    return path.join(folder, name);
  };
  mkdirSync(path.join(folder, "data"));
  const configuration = file(
    "slapd.conf",
    `include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
pidfile ${folder}/pid
TLSCertificateFile ${file("cert.pem", cert)}
TLSCertificateKeyFile ${file("key.pem", key)}
database mdb
suffix ${BASE}
directory ${folder}/data
access to attrs=userPassword by anonymous auth by * none
access to * by users read by anonymous auth by * none
`,
  );
  execFileSync(SLAPADD, ["-f", configuration, "-l", file("entries.ldif", ldif)], { stdio: "pipe" });
  const [plain, tls] = [await freePort(), await freePort()];
  const [url, tlsUrl] = [`ldap://localhost:${plain}`, `ldaps://localhost:${tls}`];
  const urls = [url, tlsUrl].map((one) => one.replace("localhost", "127.0.0.1")).join(" ");
  const child = spawn(SLAPD, ["-f", configuration, "-h", urls, "-d", "0"], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  const exited = once(child, "exit");
  const failed = exited.then(([code]) => {
    throw new Error(`slapd ended with ${code}`);
  });
  failed.catch(() => {});
  await Promise.race([Promise.all([untilListening(plain), untilListening(tls)]), failed]);
  const ca = readFileSync(authority.file, "utf8");
  return {
    ...{ url, tlsUrl, ca },
    close: async () => {
      child.kill();
      await exited;
      authority.remove();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
