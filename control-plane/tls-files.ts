import { X509Certificate, createPrivateKey } from "node:crypto";
import { readFileSync } from "node:fs";
import type { Server } from "node:https";

/** A certificate, with those between it and its authority, and its key: PEM files. */
export interface TlsFiles {
  readonly cert: string;
  readonly key: string;
}

export interface TlsPair {
  readonly cert: string;
  readonly key: string;
}

/** Reads both files. Throws, naming the file, when one is none or they don't belong together. */
export function readTlsPair({ cert: certFile, key: keyFile }: TlsFiles): TlsPair {
  const cert = readFileSync(certFile, "utf8");
  const key = readFileSync(keyFile, "utf8");
  const certificate = parsed(certFile, "a certificate", () => new X509Certificate(cert));
  const privateKey = parsed(keyFile, "a private key without a password", () =>
    createPrivateKey(key),
  );
  if (!certificate.checkPrivateKey(privateKey)) {
    throw new Error(`${keyFile} is not the key of the certificate in ${certFile}`);
  }
  return { cert, key };
}

function parsed<T>(file: string, what: string, parse: () => T): T {
  try {
    return parse();
  } catch (cause) {
    throw new Error(`${file}: expected ${what} in PEM`, { cause });
  }
}

/**
 * Takes a renewed certificate into use for new connections; the old one stays while the files are not whole. True when
 * there was a new one. To be called every few seconds: what renews certificates swaps links, which no watcher tells.
 */
export function makeTlsRefresh(
  server: Pick<Server, "setSecureContext">,
  files: TlsFiles,
  first: TlsPair,
  log: (message: string, context: Record<string, unknown>) => void,
): () => boolean {
  let { cert, key } = first;
  let told = "";
  return () => {
    try {
      const pair = readTlsPair(files);
      told = "";
      if (pair.cert === cert && pair.key === key) return false;
      server.setSecureContext(pair);
      ({ cert, key } = pair);
      log("the renewed certificate is in use", { file: files.cert });
      return true;
    } catch (error) {
      const message = (error as Error).message;
      if (message !== told) log("the certificate in use stays", { why: message });
      told = message;
      return false;
    }
  };
}
