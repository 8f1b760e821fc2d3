import { execFileSync } from "node:child_process";
import path from "node:path";

/** A self-signed certificate for loopback and its key, made by the line of docs/install.md; `name` is its common name. */
export function selfSigned(folder: string, name: string): { cert: string; key: string } {
  const [cert, key] = [path.join(folder, `${name}.pem`), path.join(folder, `${name}.key`)];
  const kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  const names = ["-subj", `/CN=${name}`, "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"];
  const files = ["-keyout", key, "-out", cert];
  const args = ["req", "-x509", ...kind, "-days", "3650", ...names, ...files];
  execFileSync("openssl", args, { stdio: ["ignore", "ignore", "pipe"] });
  return { cert, key };
}
