import { createHash, createHmac } from "node:crypto";
import { SignatureV4 } from "@smithy/signature-v4";
import type { Credentials } from "../../../control-plane/engines/aws/place.ts";
import type { AwsService } from "./sigv4.ts";

export interface ToPresign {
  readonly service: AwsService;
  readonly region: string;
  readonly credentials: Credentials;
  readonly method: string;
  /** Without its query. */
  readonly url: string;
  readonly query?: Record<string, string>;
  /** Headers that the sender must send as they are here; none of them moves into the query. */
  readonly headers?: Record<string, string>;
  readonly expiresSeconds?: number;
  /** Epoch milliseconds. */
  readonly now: number;
}

/** A presigned URL, by the SDK's signer: not by what checks it. */
export async function presign(toPresign: ToPresign): Promise<string> {
  const { service, region, credentials, headers = {}, now } = toPresign;
  const url = new URL(toPresign.url);
  const signer = new SignatureV4({
    service,
    region,
    credentials,
    sha256: Sha256,
    uriEscapePath: service !== "s3",
    applyChecksum: false,
  });
  const signed = await signer.presign(
    {
      method: toPresign.method,
      protocol: url.protocol,
      hostname: url.hostname,
      port: Number(url.port),
      path: url.pathname,
      query: toPresign.query ?? {},
      headers: {
        host: url.host,
        ...headers,
        ...(service === "s3" ? { "x-amz-content-sha256": "UNSIGNED-PAYLOAD" } : {}),
      },
    },
    {
      expiresIn: toPresign.expiresSeconds ?? 900,
      signingDate: new Date(now),
      unhoistableHeaders: new Set(Object.keys(headers)),
      hoistableHeaders: new Set(["x-amz-content-sha256"]),
    },
  );
  const query = new URLSearchParams(signed.query as Record<string, string>);
  return `${url.origin}${signed.path}?${query.toString().replaceAll("+", "%20")}`;
}

/** The hash as the SDK wants one handed to it. */
class Sha256 {
  readonly #hash;

  constructor(secret?: string | ArrayBuffer | ArrayBufferView) {
    this.#hash =
      secret === undefined ? createHash("sha256") : createHmac("sha256", bytesOf(secret));
  }

  update(data: string | ArrayBuffer | ArrayBufferView): void {
    this.#hash.update(bytesOf(data));
  }

  digest(): Promise<Uint8Array> {
    return Promise.resolve(this.#hash.digest());
  }

  reset(): void {}
}

function bytesOf(data: string | ArrayBuffer | ArrayBufferView): Buffer {
  if (typeof data === "string") return Buffer.from(data);
  return ArrayBuffer.isView(data)
    ? Buffer.from(data.buffer, data.byteOffset, data.byteLength)
    : Buffer.from(data);
}
