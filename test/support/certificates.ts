import { execFileSync } from "node:child_process";
import { createHash, X509Certificate } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";

export interface ServerCertificate {
  readonly key: string;
  readonly cert: string;
  /** As `PUMICE_PIN` has it. */
  readonly pin: string;
}

export interface Authority {
  /** The authority's own certificate, PEM. */
  readonly file: string;
  /** A certificate for `names` (`DNS:` or `IP:` each), good between two dates (YYYYMMDDHHMMSSZ). */
  issue: (names: string[], dates?: { from?: string; to?: string }) => ServerCertificate;
  remove: () => void;
}

const CONFIG = `[ca]
default_ca = lab
[lab]
database = index
new_certs_dir = .
serial = serial
default_md = sha256
policy = any
unique_subject = no
copy_extensions = copy
[any]
commonName = supplied
`;

/** An authority of a lab, made by openssl. */
export function makeAuthority(): Authority {
  const folder = mkdtempSync(path.join(tmpdir(), "pumice-authority-"));
  const openssl = (...args: string[]): void => {
    execFileSync("openssl", args, { cwd: folder, stdio: ["ignore", "ignore", "pipe"] });
  };
  const newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  writeFileSync(path.join(folder, "ca.cnf"), CONFIG);
  writeFileSync(path.join(folder, "index"), "");
  writeFileSync(path.join(folder, "serial"), "01\n");
  openssl(
    "req",
    "-x509",
    ...newKey,
    "-keyout",
    "ca.key",
    "-out",
    "ca.pem",
    "-days",
    "3650",
    "-subj",
    "/CN=Pumice test authority",
  );
  return {
    file: path.join(folder, "ca.pem"),
    issue(names, { from = "20200101000000Z", to = "20491231235959Z" } = {}) {
      const subject = ["-subj", "/CN=lab", "-addext", `subjectAltName=${names.join(",")}`];
      openssl("req", "-new", ...newKey, "-keyout", "s.key", "-out", "s.csr", ...subject);
      const dates = ["-startdate", from, "-enddate", to];
      const signer = ["-config", "ca.cnf", "-cert", "ca.pem", "-keyfile", "ca.key"];
      openssl("ca", "-batch", "-notext", ...signer, ...dates, "-in", "s.csr", "-out", "s.pem");
      const cert = readFileSync(path.join(folder, "s.pem"), "utf8");
      const spki = new X509Certificate(cert).publicKey.export({ type: "spki", format: "der" });
      return {
        key: readFileSync(path.join(folder, "s.key"), "utf8"),
        cert,
        pin: createHash("sha256").update(spki).digest("base64"),
      };
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}
