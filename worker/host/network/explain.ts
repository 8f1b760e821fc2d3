const UNKNOWN_AUTHORITY = new Set([
  "DEPTH_ZERO_SELF_SIGNED_CERT",
  "SELF_SIGNED_CERT_IN_CHAIN",
  "UNABLE_TO_GET_ISSUER_CERT",
  "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
]);

/** Whether a certificate was refused for want of an authority that vouches for it. */
export const isUnknownAuthority = (error: unknown): boolean =>
  UNKNOWN_AUTHORITY.has((error as { code?: string }).code ?? "");

/** Whether a certificate was refused for what it is, whenever it is asked for: not for its dates, which a clock that is set mends. */
export const isRefusedForGood = (error: unknown): boolean =>
  isUnknownAuthority(error) || (error as { code?: string }).code === "ERR_TLS_CERT_ALTNAME_INVALID";

/**
 * What a connection's failure means and what to do about it, where its code alone wouldn't tell; undefined for any other.
 * `now` is this machine's clock: a certificate is judged by it, so it is said.
 */
export function meaningOf(
  error: unknown,
  host: string,
  now: number = Date.now(),
): string | undefined {
  const { code = "", message = "" } = error as { code?: string; message?: string };
  const clock = `this machine's clock says ${new Date(now).toISOString().slice(0, 19)}Z`;
  if (code === "CERT_NOT_YET_VALID") {
    return `the certificate of ${host} is not valid yet: ${clock}. Set it (NTP); is it right, the server's certificate is wrong`;
  }
  if (code === "CERT_HAS_EXPIRED") {
    return `the certificate of ${host} has expired: ${clock}. If that is right, the server needs a new one`;
  }
  if (isUnknownAuthority(error)) {
    return `the certificate of ${host} is from an authority that this machine doesn't know (${code}): name a file with that authority's certificate in PUMICE_CA_FILE, or pin the server by "pumice-worker enrol"`;
  }
  if (code === "ERR_TLS_CERT_ALTNAME_INVALID") {
    return `the certificate is not for ${host}: ${message.replace(/^.*altnames:\s*/i, "").slice(0, 200)}`;
  }
  if (code === "ENOTFOUND") return `the name ${host} is not known (DNS)`;
  if (code === "EAI_AGAIN") return `no name server answers for ${host} (DNS)`;
  if (code === "EPROTO" || /wrong.version.number/i.test(`${code} ${message}`)) {
    return `${host} doesn't speak TLS at this port: is it http://, or another port?`;
  }
  return undefined;
}
