import { createHash, createHmac } from "node:crypto";
import { SignatureV4 } from "@smithy/signature-v4";
import type { AwsPlace } from "./place.ts";

interface ToSign {
  readonly method: string;
  readonly url: URL;
  /** Lower-case names; all of them are signed and must be sent. */
  readonly headers?: Record<string, string>;
  readonly expiresInSeconds: number;
  readonly at: Date;
}

/** Makes URLs that carry their own permission (AWS Signature Version 4 in the query). */
export function createSigner(place: AwsPlace, service: "s3" | "sqs") {
  const signer = new SignatureV4({
    service,
    region: place.region,
    credentials: place.credentials,
    sha256: Sha256,
    applyChecksum: false,
    // S3 takes the path as it is; the others want it encoded once more.
    uriEscapePath: service !== "s3",
  });
  return async ({ method, url, headers = {}, expiresInSeconds, at }: ToSign): Promise<string> => {
    const names = new Set(Object.keys(headers));
    const signed = await signer.presign(
      {
        method,
        protocol: url.protocol,
        hostname: url.hostname,
        ...(url.port === "" ? {} : { port: Number(url.port) }),
        path: url.pathname,
        query: Object.fromEntries(url.searchParams),
        headers: {
          host: url.host,
          ...headers,
          // The body comes later, from whoever uses the URL; it is hoisted into the query.
          ...(service === "s3" ? { "x-amz-content-sha256": "UNSIGNED-PAYLOAD" } : {}),
        },
      },
      {
        expiresIn: expiresInSeconds,
        signingDate: at,
        // Headers that stay headers: in the query they would not bind what is sent.
        unhoistableHeaders: names,
        signableHeaders: new Set([...names, "host"]),
      },
    );
    const result = new URL(url);
    for (const [name, value] of Object.entries(signed.query ?? {})) {
      result.searchParams.set(name, String(value));
    }
    result.search = strictQuery(result.searchParams);
    return result.href;
  };
}

/** Makes the headers with which a request of ours is signed, its own among them. */
export function createHeaderSigner(place: AwsPlace, service: "execute-api") {
  const { region, credentials } = place;
  const signer = new SignatureV4({ service, region, credentials, sha256: Sha256 });
  return async ({
    method,
    url,
    headers = {},
    body,
    at,
  }: Omit<ToSign, "expiresInSeconds"> & { readonly body: string }): Promise<
    Record<string, string>
  > => {
    const { protocol, hostname, pathname: path } = url;
    const request = { method, protocol, hostname, path, headers: { host: url.host, ...headers } };
    return (await signer.sign({ ...request, body }, { signingDate: at })).headers;
  };
}

/** Spaces as %20, as the signature has them. */
const strictQuery = (query: URLSearchParams): string =>
  [...query].map(([name, value]) => `${escape(name)}=${escape(value)}`).join("&");

const escape = (text: string): string =>
  encodeURIComponent(text).replace(
    /[!'()*]/g,
    (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`,
  );

/** SHA-256 in the form that the signer takes. */
class Sha256 {
  readonly #hash;

  constructor(secret?: string | Uint8Array | ArrayBuffer | ArrayBufferView) {
    this.#hash =
      secret === undefined
        ? createHash("sha256")
        : createHmac("sha256", typeof secret === "string" ? secret : bytesOf(secret));
  }
  update(data: string | Uint8Array | ArrayBuffer | ArrayBufferView): void {
    this.#hash.update(typeof data === "string" ? data : bytesOf(data));
  }
  async digest(): Promise<Uint8Array> {
    return this.#hash.digest();
  }
  reset(): void {
    throw new Error("each hash is used once");
  }
}

const bytesOf = (data: ArrayBuffer | ArrayBufferView): Uint8Array =>
  ArrayBuffer.isView(data)
    ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
    : new Uint8Array(data);
