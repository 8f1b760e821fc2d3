import { createHash, X509Certificate } from "node:crypto";
import { once } from "node:events";
import net from "node:net";
import tls from "node:tls";

const TIMEOUT_MS = 15_000;

export interface SeenServer {
  /** SHA-256 of the public key (SPKI) of the server's certificate, base64url. */
  readonly pin: string;
  /** Whether this program trusts the certificate, by whatever authorities it was given. */
  readonly isTrusted: boolean;
  /** Whether anybody would, who knows the public authorities only. */
  readonly isPublic: boolean;
}

/** Looks at the certificate that a server of https:// shows. Nothing is sent to it. Throws when it can't be reached. */
export async function seeServer(url: URL, signal: AbortSignal): Promise<SeenServer> {
  const own = await certificateOf(url, {}, signal);
  const other = await certificateOf(url, { ca: [...tls.rootCertificates] }, signal);
  return { pin: pinOf(own.raw), isTrusted: own.isTrusted, isPublic: other.isTrusted };
}

/** The pin of a certificate in PEM or DER. Throws when it is none. */
export const pinOf = (certificate: string | Uint8Array): string =>
  createHash("sha256")
    .update(new X509Certificate(certificate).publicKey.export({ type: "spki", format: "der" }))
    .digest("base64url");

async function certificateOf(
  { hostname, port }: URL,
  options: tls.ConnectionOptions,
  signal: AbortSignal,
): Promise<{ raw: Uint8Array; isTrusted: boolean }> {
  const host = hostname.replace(/^\[|\]$/g, "");
  const socket = tls.connect({
    host,
    port: Number(port) || 443,
    ...(net.isIP(host) ? {} : { servername: host }),
    // It is only looked at.
    rejectUnauthorized: false,
    ...options,
  });
  try {
    const limit = AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]);
    await once(socket, "secureConnect", { signal: limit });
    return { raw: socket.getPeerCertificate().raw, isTrusted: socket.authorized };
  } finally {
    socket.on("error", () => {});
    socket.destroy();
  }
}
