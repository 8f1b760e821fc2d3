import { createHash } from "node:crypto";
import { crc32 } from "node:zlib";
import {
  type AwsAnswer,
  AwsRefusal,
  type AwsRequest,
  escapeXml,
  headerOf,
  queryOf,
} from "./exchange.ts";
import type { Emulator } from "./emulator.ts";
import type { CallMeter } from "./meter.ts";
import { type SignatureCheck, verifySignature } from "./sigv4.ts";
import type { Service } from "./strict-front.ts";
import { decodeUnsignedChunks } from "./unsigned-chunks.ts";

export interface S3Options {
  readonly emulator: Emulator;
  readonly meter: CallMeter;
  /** Origins whose pages may read objects, as the bucket's CORS rules would say. */
  readonly corsOrigins: readonly string[];
  check(): SignatureCheck;
}

/** S3 as strict as AWS where the emulator believes everything. */
export function createS3(options: S3Options): Service {
  const inTurn = createTurns();
  return {
    operationOf: s3Operation,
    refuse: refuseAsS3,
    async handle(request, operation) {
      if (operation === "Preflight") return preflight(request, options.corsOrigins);
      const { payload } = verifySignature(request, options.check());
      const { body, headers } = readUpload(request, payload);
      const [, bucket = "", ...key] = request.path.split("/");
      const object = `${bucket}/${key.join("/")}`;
      const call = { method: request.method, path: pathOf(request), headers, body };
      if (!["PutObject", "CopyObject", "DeleteObject"].includes(operation)) {
        const answer = await options.emulator.s3(call);
        return withCors(request, withOverrides(request, answer), options.corsOrigins);
      }
      return await inTurn(object, async () => {
        await checkConditions(request, options.emulator);
        const answer = await options.emulator.s3(call);
        if (answer.status < 300) {
          options.meter.store(object, operation === "DeleteObject" ? undefined : body.length);
        }
        return withCors(request, answer, options.corsOrigins);
      });
    },
  };
}

/** AWS's name for what a request asks of S3. */
function s3Operation(request: AwsRequest): string {
  const [, bucket = "", ...key] = request.path.split("/");
  const has = (name: string) => queryOf(request, name) !== undefined;
  const hasKey = key.join("/") !== "";
  if (request.method === "OPTIONS") return "Preflight";
  if (bucket === "") return "ListBuckets";
  if (!hasKey) return bucketOperation(request.method, has);
  if (has("uploadId")) {
    if (request.method === "PUT") return "UploadPart";
    return request.method === "POST" ? "CompleteMultipartUpload" : "AbortMultipartUpload";
  }
  if (has("uploads")) return "CreateMultipartUpload";
  if (request.method === "PUT") {
    return headerOf(request, "x-amz-copy-source") === undefined ? "PutObject" : "CopyObject";
  }
  return (
    { GET: "GetObject", HEAD: "HeadObject", DELETE: "DeleteObject" }[request.method] ?? "Other"
  );
}

function bucketOperation(method: string, has: (name: string) => boolean): string {
  if (has("delete")) return "DeleteObjects";
  if (has("lifecycle")) return "BucketLifecycleConfiguration";
  if (method === "GET") return has("list-type") ? "ListObjectsV2" : "ListObjects";
  return { PUT: "CreateBucket", HEAD: "HeadBucket", DELETE: "DeleteBucket" }[method] ?? "Other";
}

/** A refusal in S3's words. */
function refuseAsS3(refusal: AwsRefusal): AwsAnswer {
  return {
    status: refusal.status,
    headers: { "content-type": "application/xml", "x-amz-request-id": "STRICTFRONT" },
    body: Buffer.from(
      `<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>${refusal.code}</Code><Message>${escapeXml(refusal.message)}</Message><RequestId>STRICTFRONT</RequestId><HostId>test</HostId></Error>`,
    ),
  };
}

/** The bytes meant, once length, hash and checksums hold, and the headers the emulator is to see. */
function readUpload(
  request: AwsRequest,
  payload: string,
): { body: Buffer; headers: Record<string, string> } {
  const headers = wantedHeaders(request);
  if (payload === "STREAMING-UNSIGNED-PAYLOAD-TRAILER") {
    const { body, trailers } = decodeUnsignedChunks(request.body);
    if (headers["x-amz-decoded-content-length"] !== String(body.length)) {
      throw new AwsRefusal(400, "IncompleteBody", "The request body is not as long as it said.");
    }
    const encodings = (headers["content-encoding"] ?? "").split(/, ?/);
    const encoding = encodings.filter((name) => name !== "aws-chunked").join(",");
    const { "content-encoding": _, ...rest } = headers;
    checkDigests(body, { ...rest, ...trailers });
    const kept = encoding === "" ? {} : { "content-encoding": encoding };
    return { body, headers: { ...rest, ...trailers, ...kept } };
  }
  if (request.method === "PUT" && headerOf(request, "content-length") === undefined) {
    throw new AwsRefusal(
      411,
      "MissingContentLength",
      "You must provide the Content-Length header.",
    );
  }
  if (payload.startsWith("STREAMING-")) {
    throw new AwsRefusal(501, "NotImplemented", `The tests' S3 does not know ${payload}.`);
  }
  if (payload !== "UNSIGNED-PAYLOAD" && payload !== digest("sha256", request.body, "hex")) {
    throw new AwsRefusal(
      400,
      "XAmzContentSHA256Mismatch",
      "The provided 'x-amz-content-sha256' header does not match what was computed.",
    );
  }
  checkDigests(request.body, headers);
  return { body: request.body, headers };
}

/** Headers, and the x-amz-* that a presigned URL carries in its query instead. */
function wantedHeaders(request: AwsRequest): Record<string, string> {
  const hoisted = request.query.filter(([name]) => name.startsWith("x-amz-"));
  const sent = [...request.headers.keys()]
    .filter((name) => !["host", "connection", "content-length", "transfer-encoding"].includes(name))
    .map((name) => [name, headerOf(request, name)!] as const);
  return { "content-type": "binary/octet-stream", ...Object.fromEntries([...hoisted, ...sent]) };
}

const CHECKSUMS: Record<string, (body: Buffer) => string> = {
  "x-amz-checksum-sha256": (body) => digest("sha256", body, "base64"),
  "x-amz-checksum-sha1": (body) => digest("sha1", body, "base64"),
  "x-amz-checksum-crc32": (body) => {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32BE(crc32(body));
    return bytes.toString("base64");
  },
  "content-md5": (body) => digest("md5", body, "base64"),
};

function checkDigests(body: Buffer, headers: Record<string, string>): void {
  for (const [name, compute] of Object.entries(CHECKSUMS)) {
    const given = headers[name];
    if (given === undefined) continue;
    const expected = compute(body);
    if (Buffer.from(given, "base64").length !== Buffer.from(expected, "base64").length) {
      throw new AwsRefusal(400, "InvalidRequest", `Value for ${name} header is invalid.`);
    }
    if (given !== expected) {
      throw new AwsRefusal(400, "BadDigest", `The ${name} you specified did not match.`);
    }
  }
}

/** If-None-Match and If-Match of a write: the emulator heeds them only when it reads. */
async function checkConditions(request: AwsRequest, emulator: Emulator): Promise<void> {
  const ifNoneMatch = headerOf(request, "if-none-match");
  const ifMatch = headerOf(request, "if-match");
  if (ifNoneMatch === undefined && ifMatch === undefined) return;
  if (ifNoneMatch !== undefined && ifNoneMatch !== "*") {
    throw new AwsRefusal(501, "NotImplemented", "A write knows only If-None-Match: *.");
  }
  const there = await emulator.s3({
    method: "HEAD",
    path: request.path,
    headers: {},
    body: Buffer.alloc(0),
  });
  const exists = there.status === 200;
  if (ifMatch !== undefined && !exists) {
    throw new AwsRefusal(404, "NoSuchKey", "The specified key does not exist.");
  }
  if (exists && (ifNoneMatch === "*" || ifMatch !== there.headers.etag)) {
    throw new AwsRefusal(
      412,
      "PreconditionFailed",
      "At least one of the pre-conditions you specified did not hold",
    );
  }
}

/** A presigned download may name the headers it is answered with. */
function withOverrides(request: AwsRequest, answer: AwsAnswer): AwsAnswer {
  if (answer.status >= 300) return answer;
  const overrides = request.query
    .filter(([name]) => name.startsWith("response-"))
    .map(([name, value]) => [name.slice("response-".length), value] as const);
  return { ...answer, headers: { ...answer.headers, ...Object.fromEntries(overrides) } };
}

function withCors(request: AwsRequest, answer: AwsAnswer, origins: readonly string[]): AwsAnswer {
  const origin = headerOf(request, "origin");
  if (origin === undefined || !origins.includes(origin)) return answer;
  return {
    ...answer,
    headers: {
      ...answer.headers,
      "access-control-allow-origin": origin,
      "access-control-expose-headers": "etag, content-range, content-length",
      vary: "Origin",
    },
  };
}

function preflight(request: AwsRequest, origins: readonly string[]): AwsAnswer {
  const origin = headerOf(request, "origin") ?? "";
  const method = headerOf(request, "access-control-request-method") ?? "";
  if (!origins.includes(origin) || !["GET", "HEAD"].includes(method)) {
    throw new AwsRefusal(403, "AccessForbidden", "This CORS request is not allowed.");
  }
  const headers = {
    "access-control-allow-methods": "GET, HEAD",
    "access-control-allow-headers": headerOf(request, "access-control-request-headers") ?? "",
  };
  return withCors(request, { status: 200, headers, body: Buffer.alloc(0) }, origins);
}

const pathOf = (request: AwsRequest): string =>
  request.query.length === 0
    ? request.path
    : `${request.path}?${new URLSearchParams(request.query.map(([k, v]) => [k, v])).toString()}`;

const digest = (algorithm: string, body: Buffer, encoding: "hex" | "base64"): string =>
  createHash(algorithm).update(body).digest(encoding);

/** Runs what is asked of the same key one after another. */
function createTurns() {
  const last = new Map<string, Promise<unknown>>();
  return async <T>(key: string, work: () => Promise<T>): Promise<T> => {
    const turn = (last.get(key) ?? Promise.resolve()).then(work);
    const settled = turn.catch(() => undefined);
    last.set(key, settled);
    try {
      return await turn;
    } finally {
      if (last.get(key) === settled) last.delete(key);
    }
  };
}
