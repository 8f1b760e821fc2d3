import { HeadObjectCommand, PutObjectCommand } from "@aws-sdk/client-s3";
import { createHash } from "node:crypto";
import type { Cloud } from "./cloud.ts";
import { findStack } from "./stack.ts";

/** Stack of the bucket that all labs of an account and region are deployed from. */
export const CODE_STACK = "pumice-code";

/** Undefined until the first deploy into this account and region. */
export const findCodeBucket = async ({ cloudFormation }: Cloud): Promise<string | undefined> =>
  (await findStack(cloudFormation, CODE_STACK))?.outputs["CodeBucketName"];

/** Puts bytes under a key that has their hash, unless they are there. */
export async function upload(
  { s3 }: Cloud,
  Bucket: string,
  Key: string,
  bytes: Uint8Array,
): Promise<void> {
  try {
    await s3.send(new HeadObjectCommand({ Bucket, Key }));
    return;
  } catch (error) {
    if (!(error instanceof Error) || error.name !== "NotFound") throw error;
  }
  const ChecksumSHA256 = createHash("sha256").update(bytes).digest("base64");
  await s3.send(new PutObjectCommand({ Bucket, Key, Body: bytes, ChecksumSHA256 }));
}

export const sha256 = (data: string | Uint8Array): string =>
  createHash("sha256").update(data).digest("hex");
