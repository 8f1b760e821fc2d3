import { createHash, generateKeyPairSync, sign } from "node:crypto";
import { gzipSync } from "node:zlib";
import type { PutRelease, PutReleaseAnswer } from "#protocol/release-api.ts";
import { workerFileName, type Platform } from "#protocol/release.ts";
import { WORKER_PROTOCOL } from "#protocol/worker-api.ts";
import type { EmbeddedLab } from "./embedded-lab.ts";

export interface Signer {
  readonly publicPem: string;
  readonly privatePem: string;
  sign(text: string): string;
}

export function aSigner(): Signer {
  const { publicKey, privateKey } = generateKeyPairSync("ed25519");
  return {
    publicPem: String(publicKey.export({ type: "spki", format: "pem" })),
    privatePem: String(privateKey.export({ type: "pkcs8", format: "pem" })),
    sign: (text) => sign(null, Buffer.from(text), privateKey).toString("base64"),
  };
}

const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

export interface TestRelease {
  readonly version: string;
  readonly request: PutRelease;
  /** The files as they are stored. */
  readonly packed: Map<string, Buffer>;
}

/** A release with these files, signed. */
export function aRelease(
  signer: Signer,
  version: string,
  files: Partial<Record<Platform, string | Uint8Array>> = { "linux-x64": `worker ${version}` },
  protocol = WORKER_PROTOCOL,
): TestRelease {
  const packed = new Map<string, Buffer>();
  const raw = Object.entries(files).map(([platform, content]) => {
    const bytes = Buffer.from(content);
    packed.set(platform, gzipSync(bytes));
    const name = workerFileName(platform as Platform);
    return { platform: platform as Platform, name, bytes: bytes.length, sha256: sha256(bytes) };
  });
  const manifest = JSON.stringify({ version, protocol, files: raw });
  return {
    version,
    packed,
    request: {
      manifest,
      signature: signer.sign(manifest),
      files: raw.map(({ platform }) => {
        const gz = packed.get(platform)!;
        return { platform, bytes: gz.length, sha256: sha256(gz) };
      }),
    },
  };
}

/** Trusts the signer's key and brings the release, files too. */
export async function addRelease(
  lab: EmbeddedLab,
  signer: Signer,
  release: TestRelease,
): Promise<void> {
  await lab.api("/release-keys", { method: "PUT", body: { pem: signer.publicPem } });
  const put = () =>
    lab.api<PutReleaseAnswer>(`/releases/${release.version}`, {
      method: "PUT",
      body: release.request,
    });
  for (const { platform, url, headers } of (await put()).uploads) {
    const body = release.packed.get(platform);
    const answer = await lab.request(url, { method: "PUT", token: null, headers, body });
    if (!answer.ok) throw new Error(`${url}: ${answer.status}`);
  }
  const { release: view } = await put();
  if (!view.ready) throw new Error("the release is not ready");
}
