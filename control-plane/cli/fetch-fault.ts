import { networkHint } from "#protocol/network-words.ts";

/** Why a `fetch` failed. */
export interface FetchFault {
  /** What happened, and what may help. */
  readonly why: string;
  /** There was no connection, so nothing was done. */
  readonly neverArrived: boolean;
  /** Time alone does not mend it: another address or certificate does. */
  readonly lasts: boolean;
}

/** Of what `fetch` threw. */
export function fetchFault(error: unknown): FetchFault {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  const code = (cause as NodeJS.ErrnoException | undefined)?.code;
  const said = cause instanceof Error ? cause.message || code || cause.name : String(cause);
  if (said === "bad port") return { why: BAD_PORT, neverArrived: true, lasts: true };
  // OpenSSL's words are of its sources, over two lines.
  const isPlain = /wrong version number/.test(said);
  const why = isPlain ? "no TLS there; is it http://?" : said.trim();
  const certificate = certificateHint(code);
  const hint = networkHint(code) ?? certificate;
  const lasts = isPlain || certificate !== undefined;
  const neverArrived = lasts || NOT_CONNECTED.has(code ?? "");
  return { why: hint === undefined ? why : `${why}; ${hint}`, neverArrived, lasts };
}

const NOT_CONNECTED = new Set([
  "ECONNREFUSED",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EHOSTUNREACH",
  "ENETUNREACH",
]);

/** `fetch` refuses it by the standard's list, which is browsers', too. */
const BAD_PORT =
  "its port is that of another protocol, to which neither browsers nor this program speak HTTP (bad port); expected the port that serves it, such as 8400";

/** Of one that does not pass, by Node.js's code for it. */
function certificateHint(code: string | undefined): string | undefined {
  if (code === "CERT_HAS_EXPIRED") return "renew its certificate (is this machine's clock right?)";
  if (code === "ERR_TLS_CERT_ALTNAME_INVALID")
    return "its certificate is for another name: use that one";
  return /SELF_SIGNED|UNABLE_TO_(VERIFY|GET_ISSUER)/.test(code ?? "")
    ? "its certificate is of no authority that is known here: NODE_EXTRA_CA_CERTS=FILE names yours"
    : undefined;
}
