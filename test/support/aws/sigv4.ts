import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import type { Credentials } from "../../../control-plane/engines/aws/place.ts";
import { AwsRefusal, type AwsRequest, headerOf, queryOf, unescapeUri } from "./exchange.ts";
import { compactTime, instantOf, refuseSignature } from "./sigv4-refusals.ts";

export type AwsService = "s3" | "sqs";
/** Also of the connections of a WebSocket API. */
export type SignedService = AwsService | "execute-api";

export interface SignatureCheck {
  readonly service: SignedService;
  readonly region: string;
  readonly credentials: Credentials;
  /** Epoch milliseconds: what the service's clock says. */
  readonly now: number;
}

/** What a good signature says: `payload` is the signed hash of the body, or the word that stands for one. */
export interface Verified {
  readonly isPresigned: boolean;
  readonly payload: string;
}

interface Claim {
  readonly isPresigned: boolean;
  readonly credential: string;
  readonly signedHeaders: string;
  readonly signature: string;
  readonly date: string;
  readonly token: string | undefined;
}

const WINDOW_MS = 15 * 60_000;
const LONGEST_EXPIRY_SECONDS = 604_800;

/**
 * Checks Signature Version 4 in the header or in the query, as the service does: key, token, scope, time, that every
 * x-amz-* header is signed, and the signature over method, path, query, signed headers and payload. Throws AwsRefusal.
 * Whether the body has the hash that was signed is for the caller, who knows how it was sent; SQS's is its real hash.
 */
export function verifySignature(request: AwsRequest, check: SignatureCheck): Verified {
  const { service } = check;
  const claim = readClaim(request, service);
  const [accessKeyId, day, region, scopedService, ending, ...rest] = claim.credential.split("/");
  if (ending !== "aws4_request" || rest.length > 0) throw refuseSignature(service, "malformed");
  if (accessKeyId !== check.credentials.accessKeyId) throw refuseSignature(service, "unknownKey");
  if (region !== check.region || scopedService !== service || day !== claim.date.slice(0, 8)) {
    throw refuseSignature(
      service,
      "scope",
      `Credential should be scoped to ${claim.date.slice(0, 8)}/${check.region}/${service}, not ${day}/${region}/${scopedService}.`,
    );
  }
  checkTime(request, claim, check);
  const names = claim.signedHeaders.split(";");
  checkHeaders(request, names, service);
  const payload = payloadOf(request, claim, service);
  const scope = `${day}/${region}/${service}/aws4_request`;
  const canonical = [
    request.method,
    canonicalPath(request.path, service),
    canonicalQuery(request),
    ...names.map((name) => `${name}:${canonicalValue(request, name)}`),
    "",
    claim.signedHeaders,
    payload,
  ].join("\n");
  const toSign = ["AWS4-HMAC-SHA256", claim.date, scope, sha256(canonical)].join("\n");
  const key = [day, region, service, "aws4_request"].reduce<string | Buffer>(
    (previous, part) => hmac(previous, part),
    `AWS4${check.credentials.secretAccessKey}`,
  );
  const expected = hmac(key, toSign);
  const given = Buffer.from(claim.signature, "hex");
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) {
    throw refuseSignature(service, "mismatch");
  }
  checkToken(claim.token, check);
  return { isPresigned: claim.isPresigned, payload };
}

function readClaim(request: AwsRequest, service: SignedService): Claim {
  const authorization = headerOf(request, "authorization");
  const isPresigned = request.query.some(([name]) => name.startsWith("X-Amz-Signature"));
  if (authorization === undefined && !isPresigned) throw refuseSignature(service, "anonymous");
  if (authorization !== undefined && isPresigned) {
    throw new AwsRefusal(400, "InvalidArgument", "Only one auth mechanism allowed");
  }
  return authorization === undefined
    ? readQueryClaim(request, service)
    : readHeaderClaim(request, authorization, service);
}

function readQueryClaim(request: AwsRequest, service: SignedService): Claim {
  const names = request.query.map(([name]) => name).filter((name) => name.startsWith("X-Amz-"));
  const part = (name: string) => {
    const value = queryOf(request, `X-Amz-${name}`);
    if (value === undefined) throw refuseSignature(service, "malformedQuery", name);
    return value;
  };
  if (new Set(names).size !== names.length || part("Algorithm") !== "AWS4-HMAC-SHA256") {
    throw refuseSignature(service, "malformedQuery", "Algorithm");
  }
  if (!/^\d+$/.test(part("Expires")) || Number(part("Expires")) > LONGEST_EXPIRY_SECONDS) {
    throw refuseSignature(service, "malformedQuery", "Expires");
  }
  if (!/^[0-9a-f]{64}$/.test(part("Signature"))) throw refuseSignature(service, "mismatch");
  return {
    isPresigned: true,
    credential: part("Credential"),
    signedHeaders: part("SignedHeaders"),
    signature: part("Signature"),
    date: part("Date"),
    token: queryOf(request, "X-Amz-Security-Token"),
  };
}

function readHeaderClaim(
  request: AwsRequest,
  authorization: string,
  service: SignedService,
): Claim {
  const match =
    /^AWS4-HMAC-SHA256 Credential=([^ ,]+), ?SignedHeaders=([^ ,]+), ?Signature=([0-9a-f]{64})$/.exec(
      authorization,
    );
  const date = headerOf(request, "x-amz-date");
  if (match === null || date === undefined) throw refuseSignature(service, "malformed");
  return {
    isPresigned: false,
    credential: match[1]!,
    signedHeaders: match[2]!,
    signature: match[3]!,
    date,
    token: headerOf(request, "x-amz-security-token"),
  };
}

/** Seen in the field: SQS heeds no X-Amz-Expires, only the quarter of an hour that any signature has. */
function checkTime(request: AwsRequest, claim: Claim, { service, now }: SignatureCheck): void {
  const signedAt = instantOf(claim.date);
  if (signedAt === undefined) throw refuseSignature(service, "malformed");
  const isS3Url = claim.isPresigned && service === "s3";
  const validMs = isS3Url ? Number(queryOf(request, "X-Amz-Expires")) * 1000 : WINDOW_MS;
  if (signedAt > now + WINDOW_MS) {
    if (isS3Url) throw new AwsRefusal(403, "AccessDenied", "Request is not valid yet");
    throw refuseSignature(service, "skewed", `Signature not yet current: ${claim.date}`);
  }
  if (now <= signedAt + validMs) return;
  if (isS3Url) throw new AwsRefusal(403, "AccessDenied", "Request has expired");
  throw refuseSignature(
    service,
    "skewed",
    `Signature expired: ${claim.date} is now earlier than ${compactTime(now - WINDOW_MS)} (${compactTime(now)} - 15 min.)`,
  );
}

function checkHeaders(request: AwsRequest, names: readonly string[], service: SignedService): void {
  if (!names.includes("host") || names.some((name) => name !== name.toLowerCase())) {
    throw refuseSignature(service, "mismatch");
  }
  if (names.some((name) => !request.headers.has(name))) throw refuseSignature(service, "mismatch");
  const unsigned = [...request.headers.keys()].filter(
    (name) => name.startsWith("x-amz-") && !names.includes(name),
  );
  if (unsigned.length > 0) throw refuseSignature(service, "unsignedHeader", unsigned.join(", "));
}

function checkToken(token: string | undefined, { credentials, service }: SignatureCheck): void {
  if (token === credentials.sessionToken) return;
  throw refuseSignature(service, token === undefined ? "unknownKey" : "token");
}

function payloadOf(request: AwsRequest, claim: Claim, service: SignedService): string {
  if (service !== "s3") return sha256(request.body);
  const hoisted = request.query.find(([name]) => name.toLowerCase() === "x-amz-content-sha256");
  const signed = headerOf(request, "x-amz-content-sha256") ?? hoisted?.[1];
  if (signed !== undefined) return signed;
  if (claim.isPresigned) return "UNSIGNED-PAYLOAD";
  throw new AwsRefusal(
    400,
    "InvalidRequest",
    "Missing required header for this request: x-amz-content-sha256",
  );
}

/** S3 signs a path as it is meant, every other service as it is sent: escaped once more. */
function canonicalPath(path: string, service: SignedService): string {
  const segments = path.split("/");
  return segments
    .map((segment) => escapeUri(service === "s3" ? unescapeUri(segment) : segment))
    .join("/");
}

function canonicalQuery(request: AwsRequest): string {
  const pairs = request.query
    .filter(([name]) => name !== "X-Amz-Signature")
    .map(([name, value]) => [escapeUri(name), escapeUri(value)] as const);
  pairs.sort(([a, x], [b, y]) => compare(a, b) || compare(x, y));
  return pairs.map(([name, value]) => `${name}=${value}`).join("&");
}

const canonicalValue = (request: AwsRequest, name: string): string =>
  (request.headers.get(name) ?? []).map((value) => value.trim().replaceAll(/ +/g, " ")).join(",");

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

const escapeUri = (text: string): string =>
  encodeURIComponent(text).replaceAll(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );

const hmac = (key: string | Buffer, text: string): Buffer =>
  createHmac("sha256", key).update(text).digest();

const sha256 = (data: string | Buffer): string => createHash("sha256").update(data).digest("hex");
