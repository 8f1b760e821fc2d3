import { createHash, type X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import tls from "node:tls";

type Environment = Readonly<Record<string, string | undefined>>;

/** Where Debian, Alpine; Fedora; openSUSE keep the system's authorities, one file. */
const SYSTEM_FILES = [
  "/etc/ssl/certs/ca-certificates.crt",
  "/etc/pki/tls/certs/ca-bundle.crt",
  "/etc/ssl/ca-bundle.pem",
];

/** What is in a file of authorities, and the file. */
export interface Authorities {
  readonly file: string;
  readonly pem: string;
}

/**
 * The authorities that are trusted: the system's (`SSL_CERT_FILE` instead, when it can be read), or those that the runtime
 * brings when the system has none; beside them those of `NODE_EXTRA_CA_CERTS` and `PUMICE_CA_FILE`. The same in every
 * runtime, which is not so when each is left to itself. Throws when `PUMICE_CA_FILE` can't be read or has no certificate.
 */
export function authorities(env: Environment): Authorities[] {
  const system = [env["SSL_CERT_FILE"], ...SYSTEM_FILES]
    .map((file) => (file ? readPem(file) : undefined))
    .find((found) => found !== undefined);
  const base = system ?? { file: "this program's own", pem: tls.rootCertificates.join("\n") };
  const extra = env["NODE_EXTRA_CA_CERTS"];
  const more = extra ? readPem(extra) : undefined;
  return [base, ...(more ? [more] : []), ...privateAuthorities(env)];
}

function privateAuthorities(env: Environment): Authorities[] {
  const file = env["PUMICE_CA_FILE"];
  if (!file) return [];
  const found = readPem(file);
  if (found) return [found];
  throw new Error(
    `PUMICE_CA_FILE: ${file} can't be read, or has no certificate in PEM (-----BEGIN CERTIFICATE-----)`,
  );
}

function readPem(file: string): Authorities | undefined {
  try {
    const pem = readFileSync(file, "utf8");
    return pem.includes("-----BEGIN CERTIFICATE-----") ? { file, pem } : undefined;
  } catch {
    return undefined;
  }
}

const SETTINGS = ["SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS", "PUMICE_CA_FILE"] as const;

/** Of an environment what names authorities: for who asks without a proxy and a pin. */
export const authoritySettings = (env: Environment): Environment =>
  Object.fromEntries(SETTINGS.map((name) => [name, env[name]]));

/** Made once for a set of settings: it takes milliseconds and a megabyte or two. */
let kept: { key: string; context: tls.SecureContext } | undefined;

/** The authorities as `tls.connect` wants them. Throws as `authorities` does. */
export function secureContext(env: Environment): tls.SecureContext {
  const key = JSON.stringify(SETTINGS.map((name) => env[name]));
  if (kept?.key !== key) {
    const ca = authorities(env).map(({ pem }) => pem);
    kept = { key, context: tls.createSecureContext({ ca }) };
  }
  return kept.context;
}

/** Files of authorities are read again for the next connection. */
export function forgetAuthorities(): void {
  kept = undefined;
}

/** SHA-256 of a certificate's public key (SPKI), base64: what a pin is. */
export const pinOf = (certificate: X509Certificate): string =>
  createHash("sha256")
    .update(certificate.publicKey.export({ type: "spki", format: "der" }))
    .digest("base64");

/**
 * Pins of a setting as base64; several, with commas between, while a server changes its key. `sha256//` (curl's) or
 * `sha256:` before one, and hexadecimal, are fine. Throws for anything else.
 */
export function parsePins(text: string): string[] {
  return text
    .split(/[\s,;]+/)
    .filter(Boolean)
    .map((word) => {
      const bare = word.replace(/^sha256(?:\/\/|[:/])/i, "");
      const hex = bare.replaceAll(":", "");
      const digest = /^[\da-f]{64}$/i.test(hex)
        ? Buffer.from(hex, "hex")
        : /^[\w+/-]{43}=?$/.test(bare)
          ? Buffer.from(bare, "base64")
          : undefined;
      if (digest?.length === 32) return digest.toString("base64");
      throw new Error("PUMICE_PIN: expected the SHA-256 of a public key, in base64");
    });
}
