import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import type { PutRelease, PutReleaseAnswer } from "#protocol/release-api.ts";
import { parseManifest, type Manifest, type ReleaseFile } from "#protocol/release.ts";
import { putBlob, withFreshLinks } from "./backup/transfer.ts";
import { argumentsOf, readNamedFile, UsageError, type Context } from "./command.ts";

/** For 40 MB on a slow line. */
const UPLOAD_MS = 60 * 60_000;

/** `pumice releases add DIR`: what scripts/build left there becomes a release of the lab. Again goes on where a run was cut. */
export async function addRelease(context: Context): Promise<number> {
  const [dir = ""] = argumentsOf(context, "DIR");
  const { terminal, signal } = context;
  const manifest = readNamedFile(path.join(dir, "manifest.json"));
  const signature = readSignature(path.join(dir, "manifest.json.sig"));
  const { version, files } = read(manifest, dir);
  const client = context.client();
  const packed = new Map<string, Buffer>();
  for (const file of files) {
    terminal.progress?.(`packing ${file.name}`);
    packed.set(file.platform, await promisify(gzip)(readFileOf(dir, file), { level: 9 }));
  }
  const request: PutRelease = {
    manifest,
    signature,
    files: files.map(({ platform }) => {
      const bytes = packed.get(platform)!;
      return { platform, bytes: bytes.length, sha256: sha256(bytes) };
    }),
  };
  const where = `/releases/${encodeURIComponent(version)}`;
  const put = () => client.json<PutReleaseAnswer>("PUT", where, request);
  await withFreshLinks(async () => {
    for (const { platform, ...link } of (await put()).uploads) {
      terminal.progress?.(`sending the file for ${platform}`);
      const place = { base: client.url, dir, signal, timeoutMs: UPLOAD_MS };
      await putBlob(place, link, packed.get(platform)!);
    }
  });
  const { release } = await put();
  terminal.progress?.("");
  if (!release.ready) throw new Error(`files of release ${version} did not arrive: try again`);
  const names = release.files.map(({ platform }) => platform).join(", ");
  terminal.say(`Release ${version} is there for ${names}; next: pumice rollout start ${version}`);
  return 0;
}

function readSignature(file: string): string {
  if (existsSync(file)) return readNamedFile(file).trim();
  throw new UsageError(`${file} is not there: "scripts/build --key FILE" signs a release`);
}

function read(manifest: string, dir: string): Manifest {
  try {
    return parseManifest(manifest);
  } catch (error) {
    throw new UsageError(`${path.join(dir, "manifest.json")}: ${(error as Error).message}`);
  }
}

/** Looked at before anything is sent: half of a release is of no use to anybody. */
function readFileOf(dir: string, { name, bytes, sha256: sum }: ReleaseFile): Buffer {
  const file = path.join(dir, name);
  let content: Buffer;
  try {
    content = readFileSync(file);
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
  if (content.length === bytes && sha256(content) === sum) return content;
  throw new UsageError(`${file} is not the file that manifest.json names: build both anew`);
}

const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");
