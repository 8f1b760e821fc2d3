import type { Blobs } from "../../ports/blobs.ts";
import type { System } from "../../ports/system.ts";
import { Unavailable } from "../../ports/unavailable.ts";
import { pause } from "./pause.ts";
import type { AwsPlace } from "./place.ts";
import { createSigner } from "./signer.ts";

const ATTEMPTS = 5;
const FIRST_PAUSE_MS = 50;
const REQUEST_MS = 5_000;
/** How long a request of our own is good for; it is made at once. */
const OWN_SECONDS = 300;

/**
 * Blobs in S3, by signed requests only: four calls and the signer, which presigned URLs need anyway, where the SDK's
 * client would be half as large as the whole control plane.
 */
export function openBlobs(place: AwsPlace, system: Pick<System, "now" | "hash">): Blobs {
  const sign = createSigner(place, "s3");
  const at = () => new Date(system.now());
  const base = bucketUrl(place);
  const urlOf = (key: string) => new URL(`${base}/${requireKey(key)}`);

  async function send(method: "DELETE" | "GET" | "HEAD" | "PUT", key: string, body?: Uint8Array) {
    const headers = body ? putHeaders(body.length, system.hash(body)) : {};
    const url = await sign({
      method,
      url: urlOf(key),
      headers,
      expiresInSeconds: OWN_SECONDS,
      at: at(),
    });
    return request(url, {
      method,
      headers,
      ...(body ? { body: body as Uint8Array<ArrayBuffer> } : {}),
    });
  }

  return {
    async put(key, bytes) {
      const answer = await send("PUT", key, bytes);
      if (!answer.ok) throw await refusal(answer, `PUT ${key}`);
    },
    async get(key) {
      const answer = await send("GET", key);
      if (answer.status === 404) return undefined;
      if (!answer.ok) throw await refusal(answer, `GET ${key}`);
      return answer.bytes;
    },
    async sizeBytes(key) {
      const answer = await send("HEAD", key);
      if (answer.status === 404) return undefined;
      if (!answer.ok) throw await refusal(answer, `HEAD ${key}`);
      return Number(answer.headers.get("content-length"));
    },
    async signPut({ key, sizeBytes, sha256, expiresInSeconds }) {
      const headers = putHeaders(sizeBytes, sha256);
      const request = {
        method: "PUT",
        url: urlOf(key),
        headers,
        expiresInSeconds,
        at: at(),
      } as const;
      return { url: await sign(request), method: "PUT", headers };
    },
    async signGet(key, expiresInSeconds) {
      const url = await sign({ method: "GET", url: urlOf(key), expiresInSeconds, at: at() });
      return { url, method: "GET", headers: {} };
    },
    async remove(key) {
      const answer = await send("DELETE", key);
      if (!answer.ok && answer.status !== 404) throw await refusal(answer, `DELETE ${key}`);
    },
  };
}

/** Address of the bucket. Emulators have all buckets under one host; AWS gives each its own. */
export function bucketUrl({ bucket, region, endpoints }: AwsPlace): string {
  if (endpoints?.s3 !== undefined) return `${endpoints.s3.replace(/\/$/, "")}/${bucket}`;
  return `https://${bucket}.s3.${region}.amazonaws.com`;
}

/** S3 itself refuses other bytes than these. */
const putHeaders = (sizeBytes: number, sha256: string): Record<string, string> => ({
  "content-length": String(sizeBytes),
  "x-amz-checksum-sha256": Buffer.from(sha256, "hex").toString("base64"),
});

/** Every blob key goes as it is into a URL's path. */
function requireKey(key: string): string {
  const good = key.split("/").every((segment) => /^[A-Za-z0-9_=-][A-Za-z0-9._=-]*$/.test(segment));
  if (good && key.length <= 500) return key;
  throw new Error(`not a blob key: ${JSON.stringify(key.slice(0, 100))}`);
}

interface Answer {
  readonly status: number;
  readonly ok: boolean;
  readonly headers: Headers;
  readonly bytes: Uint8Array;
}

/** All of these calls may be repeated. Throws `Unavailable` when S3 goes on being busy or away. */
async function request(url: string, init: RequestInit): Promise<Answer> {
  for (let attempt = 1; ; attempt++) {
    let problem: string;
    try {
      const answer = await fetch(url, { ...init, signal: AbortSignal.timeout(REQUEST_MS) });
      const bytes = new Uint8Array(await answer.arrayBuffer());
      const { status, ok, headers } = answer;
      if (status < 500 && status !== 429) return { status, ok, headers, bytes };
      problem = `status ${status}`;
    } catch (error) {
      problem = String((error as Error).cause ?? error);
    }
    if (attempt === ATTEMPTS) {
      throw new Unavailable(`S3 did not answer ${init.method ?? ""}: ${problem}`);
    }
    await pause(FIRST_PAUSE_MS * 2 ** attempt * (0.5 + Math.random()));
  }
}

async function refusal({ status, bytes }: Answer, what: string): Promise<Error> {
  const code = /<Code>(\w+)</.exec(new TextDecoder().decode(bytes.subarray(0, 2000)))?.[1] ?? "";
  return new Error(`S3 refused ${what}: ${status} ${code}`);
}
