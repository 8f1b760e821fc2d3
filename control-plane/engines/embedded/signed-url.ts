import { createHmac, timingSafeEqual } from "node:crypto";
import type { SignedPut, SignedRequest } from "../../ports/blobs.ts";

/** What a signed URL allows, once it has been verified. */
export type Permit =
  | { method: "GET"; key: string }
  | { method: "PUT"; key: string; sizeBytes: number; sha256: string };

/** Where the engine serves blobs, relative to the control plane's address. */
const BLOB_PATH = "/blobs/";

/** A URL for exactly these bytes under this key, until it expires. */
export function signedPut(secret: string, now: number, put: SignedPut): SignedRequest {
  const query = {
    expires: expiry(now, put.expiresInSeconds),
    length: String(put.sizeBytes),
    sha256: put.sha256,
  };
  return {
    url: signedUrl(secret, "PUT", put.key, query),
    method: "PUT",
    headers: { "content-type": "application/octet-stream" },
  };
}

/** A URL to read this key until it expires. */
export function signedGet(
  secret: string,
  now: number,
  key: string,
  expiresInSeconds: number,
): SignedRequest {
  const query = { expires: expiry(now, expiresInSeconds) };
  return { url: signedUrl(secret, "GET", key, query), method: "GET", headers: {} };
}

/** What the URL allows, or undefined when its signature is not ours, its method is another, or its time is over. */
export function verify(secret: string, now: number, method: string, url: URL): Permit | undefined {
  if (!url.pathname.startsWith(BLOB_PATH)) return undefined;
  const key = url.pathname.slice(BLOB_PATH.length);
  const { signature = "", ...query } = Object.fromEntries(url.searchParams);
  const expected = Buffer.from(sign(secret, method, key, query));
  const given = Buffer.from(signature);
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) return undefined;
  if (now / 1000 >= Number(query["expires"])) return undefined;
  if (method === "GET") return { method, key };
  const { length: sizeBytes, sha256 } = query;
  if (method !== "PUT" || sizeBytes === undefined || sha256 === undefined) return undefined;
  return { method, key, sizeBytes: Number(sizeBytes), sha256 };
}

const expiry = (now: number, seconds: number) => String(Math.ceil(now / 1000) + seconds);

function signedUrl(secret: string, method: string, key: string, query: Record<string, string>) {
  const search = new URLSearchParams({ ...query, signature: sign(secret, method, key, query) });
  return `${BLOB_PATH}${key}?${search.toString()}`;
}

function sign(secret: string, method: string, key: string, query: Record<string, string>): string {
  const names = Object.keys(query).toSorted();
  const text = JSON.stringify([method, key, names.map((name) => [name, query[name]])]);
  return createHmac("sha256", secret).update(text).digest("hex");
}
