import { GetObjectCommand, PutObjectCommand } from "@aws-sdk/client-s3";
import * as v from "valibot";
import type { Cloud } from "./cloud.ts";

const releaseSchema = v.object({
  release: v.string(),
  code_key: v.string(),
  template_key: v.string(),
  time: v.string(),
  /** The release that was there before this one; absent for the first. */
  before: v.optional(v.string()),
});
export type Release = v.InferOutput<typeof releaseSchema>;
const fileSchema = v.object({ releases: v.array(releaseSchema) });

/** As many as one may roll back to. */
const KEPT = 20;

const keyOf = (stack: string): string => `releases/${stack}.json`;

/** What was deployed as this stack, newest first. Throws when the file is not ours. */
export async function readReleases({ s3 }: Cloud, bucket: string, stack: string) {
  const text = await readText(s3, bucket, keyOf(stack));
  if (text === undefined) return [];
  const read = v.safeParse(v.pipe(v.string(), v.parseJson(), fileSchema), text);
  if (read.success) return read.output.releases;
  const where = `s3://${bucket}/${keyOf(stack)}`;
  throw new Error(`${where} is no list of releases: ${read.issues[0].message}`);
}

/** Adds a release at the front; one that is there already keeps what was before it. */
export async function noteRelease(
  cloud: Cloud,
  bucket: string,
  stack: string,
  release: Release,
): Promise<void> {
  const before = await readReleases(cloud, bucket, stack);
  const known = before.find((one) => one.release === release.release);
  const others = before.filter((one) => one !== known);
  const releases = [known ?? release, ...others].slice(0, KEPT);
  await cloud.s3.send(
    new PutObjectCommand({
      Bucket: bucket,
      Key: keyOf(stack),
      Body: JSON.stringify({ releases }, undefined, 2),
      ContentType: "application/json",
    }),
  );
}

/** Undefined when there is no such object. */
export async function readText(
  s3: Cloud["s3"],
  Bucket: string,
  Key: string,
): Promise<string | undefined> {
  try {
    const { Body } = await s3.send(new GetObjectCommand({ Bucket, Key }));
    return await Body?.transformToString();
  } catch (error) {
    if (error instanceof Error && error.name === "NoSuchKey") return undefined;
    throw error;
  }
}
