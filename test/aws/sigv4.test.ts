import { describe, expect, test } from "vitest";
import { decodePairs, type AwsRequest } from "../support/aws/exchange.ts";
import { verifySignature } from "../support/aws/sigv4.ts";

/** Published by AWS with its description of Signature Version 4 for S3: key, requests and signatures. */
const check = {
  service: "s3",
  region: "us-east-1",
  now: Date.parse("2013-05-24T00:00:00Z"),
  credentials: {
    accessKeyId: "AKIAIOSFODNN7EXAMPLE",
    secretAccessKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
  },
} as const;
const EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
const DAY = "20130524T000000Z";

function aRequest(
  method: string,
  url: string,
  headers: Record<string, string>,
  signature: string,
): AwsRequest {
  const all: Record<string, string> = { host: "examplebucket.s3.amazonaws.com", ...headers };
  const names = Object.keys(all).sort().join(";");
  all.authorization = `AWS4-HMAC-SHA256 Credential=${check.credentials.accessKeyId}/20130524/us-east-1/s3/aws4_request,SignedHeaders=${names},Signature=${signature}`;
  return read(method, url, all);
}

function read(method: string, url: string, headers: Record<string, string>): AwsRequest {
  const [path = "", query = ""] = url.split("?");
  const lists = Object.entries(headers).map(([name, value]) => [name, [value]] as const);
  return {
    method,
    path,
    query: decodePairs(query),
    headers: new Map(lists),
    body: Buffer.alloc(0),
  };
}

const common = { "x-amz-date": DAY, "x-amz-content-sha256": EMPTY };

describe("the signatures that AWS published are good", () => {
  test.each([
    [
      "GET",
      "/test.txt",
      { ...common, range: "bytes=0-9" },
      "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
    ],
    [
      "PUT",
      "/test$file.text",
      {
        date: "Fri, 24 May 2013 00:00:00 GMT",
        "x-amz-date": DAY,
        "x-amz-storage-class": "REDUCED_REDUNDANCY",
        "x-amz-content-sha256": "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072",
      },
      "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
    ],
    [
      "GET",
      "/?lifecycle",
      common,
      "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
    ],
    [
      "GET",
      "/?max-keys=2&prefix=J",
      common,
      "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
    ],
  ] as const)("%s %s", (method, url, headers, signature) => {
    const good = aRequest(method, url, headers, signature);
    expect(verifySignature(good, check).isPresigned).toBe(false);
    const other = aRequest(method, url, headers, signature.replace(/.$/, "0"));
    expect(() => verifySignature(other, check)).toThrow("does not match");
  });

  test("by presigned URL", () => {
    const url = `/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=${DAY}&X-Amz-Expires=86400&X-Amz-SignedHeaders=host&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404`;
    const request = read("GET", url, { host: "examplebucket.s3.amazonaws.com" });
    expect(verifySignature(request, check).payload).toBe("UNSIGNED-PAYLOAD");
  });
});

test.each([
  ["no scheme", "nonsense"],
  ["another scheme", "AWS4-ECDSA-P256-SHA256 Credential=a, SignedHeaders=b, Signature=c"],
  [
    "a key with too few parts",
    `AWS4-HMAC-SHA256 Credential=a, SignedHeaders=host, Signature=${"0".repeat(64)}`,
  ],
])("a header with %s is refused in words", (_, authorization) => {
  const headers = { host: "h", "x-amz-date": DAY, authorization };
  expect(() => verifySignature(read("GET", "/", headers), check)).toThrow("malformed");
});
