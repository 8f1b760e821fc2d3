import { createHash, createPublicKey, sign, type KeyObject } from "node:crypto";
import { execFileSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { renameSync, writeFileSync } from "node:fs";
import path from "node:path";
import { parseArgs } from "node:util";
import { PLATFORMS, workerFileName } from "#protocol/release.ts";
import { VERSION } from "#protocol/version.ts";
import { CHECKSUMS, readKey } from "../single-file/release-files.ts";
import { runProgram } from "../single-file/run-program.ts";
import { changelog } from "./changelog.ts";
import { committedIn, packFolder } from "./pack-folder.ts";
import { softwareBill, type Parts, type ShippedFile } from "./software-bill.ts";

const HELP = `scripts/release VERSION --key FILE [x64] [arm64] [armv7] [--out DIR]

Makes all files of a version from the checkout as it is committed: the worker's file for each platform
named (or for all of them), the server, the cloud's functions, templates and container files, the documentation, the
schema of jobs and the description of the API, the bill of what is inside, licences, changes, sums and
signatures. The same commit gives the same bytes. docs/releases.md says what each is for.

  VERSION      the sources' own (${VERSION} here): it is changed by a commit, not by this command
  --key FILE   signs: an Ed25519 private key as "pumice releases keygen FILE" makes it, with its public half
               in FILE.pub; default $PUMICE_RELEASE_KEY
  --out DIR    a folder that is not there yet; default dist/pumice-VERSION

Ends with 0 when the folder is there, whole; with 2 when it refuses, and with 1 when a step fails: then no
folder is left.
`;
const root = path.resolve(import.meta.dirname, "../..");

/** What is wrong with what was asked, rather than with a step. */
class Refusal extends Error {}

interface Wish {
  readonly version: string;
  readonly platforms: string[];
  readonly key: KeyObject;
  readonly keyFile: string;
  readonly publicKey: string;
  readonly out: string;
}

async function main(): Promise<void> {
  const wish = readWish();
  if (!wish) return void process.stdout.write(HELP);
  const fresh = `${wish.out}.${process.pid}`;
  mkdirSync(fresh, { recursive: true });
  try {
    await makeRelease(wish, fresh);
    renameSync(fresh, wish.out);
  } finally {
    rmSync(fresh, { recursive: true, force: true });
  }
  process.stdout.write(`${path.join(wish.out, CHECKSUMS)}\n`);
}

async function makeRelease({ version, platforms, key, keyFile, publicKey }: Wish, out: string) {
  const { commit, seconds } = checkout();
  const at = (...names: string[]) => path.join(out, ...names);
  const dist = at("dist");
  const programs = at(`pumice-${version}`);

  step("Bundling server, functions and documentation");
  const bundle = path.join(root, "scripts/bundle.mjs");
  const partsFile = at("parts.json");
  await runProgram([process.execPath, bundle, "--out", dist, "--parts", partsFile], { cwd: root });
  const parts = JSON.parse(readFileSync(partsFile, "utf8")) as Parts;
  rmSync(partsFile);

  step(`Building the worker for ${platforms.join(", ")}`);
  const build = path.join(root, "scripts/build");
  await runProgram([build, ...platforms, "--out", out, "--key", keyFile], { cwd: root });

  step("Packing");
  renameSync(path.join(dist, "lambda.zip"), at(`pumice-lambda-${version}.zip`));
  rmSync(path.join(dist, "lambda"), { recursive: true });
  rmSync(path.join(dist, ".stamp"));
  for (const name of ["LICENSE", "THIRD-PARTY-NOTICES", "job.schema.json", "openapi.json"]) {
    copyFileSync(path.join(dist, name), at(name));
  }
  renameSync(dist, programs);
  writeFileSync(path.join(programs, "pumice"), STARTER, { mode: 0o755 });
  const pack = (from: string, name: string, members?: string[]) =>
    packFolder({ from, into: at(name), seconds, ...(members ? { members } : {}) });
  await pack(out, `pumice-server-${version}.tar.gz`, [path.basename(programs)]);
  await pack(root, `pumice-docs-${version}.tar.gz`, committedIn(root, ["README.md", "docs"]));
  const infra = path.join(root, "infra");
  await pack(infra, `pumice-infra-${version}.tar.gz`, committedIn(infra, INFRA));
  rmSync(programs, { recursive: true });

  step("Telling what is inside");
  writeFileSync(at("CHANGELOG.md"), changelog(root, version));
  writeFileSync(at("release.key.pub"), publicKey);
  const shipped = readdirSync(out).map((name) => shippedFile(out, name));
  const bill = await softwareBill({ version, commit, seconds, files: shipped, parts });
  writeFileSync(at("pumice.cdx.json"), `${JSON.stringify(bill, undefined, 1)}\n`);
  const names = readdirSync(out).filter((name) => name !== CHECKSUMS);
  const sums = names.sort().map((name) => `${sha256(at(name))}  ${name}\n`);
  writeFileSync(at(CHECKSUMS), sums.join(""));
  const signature = sign(null, readFileSync(at(CHECKSUMS)), key).toString("base64");
  writeFileSync(at(`${CHECKSUMS}.sig`), `${signature}\n`);
  process.stdout.write(sums.join(""));
}

/** What of infra/ works without the checkout's own commands. */
const INFRA = ["template.yaml", "code-bucket.yaml", "terraform", "workers", "containers"];

/** The command in the server's archive. */
const STARTER = `#!/bin/sh
# Pumice on the machine's Node.js 24 or later; PUMICE_NODE names another one than that of the PATH.
here=$(dirname -- "$(readlink -f -- "$0")")
node=\${PUMICE_NODE:-node}
major=$("$node" -p 'process.versions.node.split(".")[0]' 2>/dev/null)
if [ "\${major:-0}" -lt 24 ]; then
  echo "pumice: Node.js 24 or later is needed, and $node is \${major:-not there}: https://nodejs.org, or PUMICE_NODE=FILE" >&2
  exit 2
fi
exec "$node" --max-semi-space-size=8 "$here/pumice.mjs" "$@"
`;

/** @throws Refusal a sentence that says what to do. */
function readWish(): Wish | undefined {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      key: { type: "string" },
      out: { type: "string" },
      help: { type: "boolean", short: "h" },
    },
  });
  if (values.help) return undefined;
  const [version, ...words] = positionals;
  if (!version) throw new Refusal("a version is needed; see scripts/release --help");
  if (version !== VERSION) {
    throw new Refusal(
      `the sources are ${VERSION}, not ${version}: change it in package.json and control-plane/protocol/version.ts, and commit`,
    );
  }
  const known = PLATFORMS.map((one) => one.replace("linux-", ""));
  const strange = words.find((word) => !known.includes(word));
  if (strange) throw new Refusal(`no platform is called ${strange}: expected ${known.join(", ")}`);
  const out = path.resolve(values.out ?? path.join(root, "dist", `pumice-${version}`));
  if (existsSync(out))
    throw new Refusal(`${out} is there already: remove it, or name another --out`);
  const signer = readSigner(values.key ?? process.env["PUMICE_RELEASE_KEY"]);
  requireCommitted();
  const platforms = words.length > 0 ? [...new Set(words)] : known;
  return { version, platforms, out, ...signer };
}

/** A key that is not what is beside it may be anybody's: no lab would trust the release. */
function readSigner(file: string | undefined): Pick<Wish, "key" | "keyFile" | "publicKey"> {
  if (!file)
    throw new Refusal("a release is signed: --key FILE (pumice releases keygen makes one)");
  let key: KeyObject;
  let known: string;
  try {
    key = readKey(file);
    known = readFileSync(`${file}.pub`, "utf8");
  } catch (error) {
    throw new Refusal((error as Error).message, { cause: error });
  }
  const pem = (of: KeyObject) => String(of.export({ type: "spki", format: "pem" }));
  const publicKey = pem(createPublicKey(key));
  if (publicKey.trim() !== known.trim()) {
    throw new Refusal(`${file} is not the key whose public half is in ${file}.pub`);
  }
  return { key, keyFile: path.resolve(file), publicKey };
}

const git = (...args: string[]): string =>
  execFileSync("git", args, { cwd: root, encoding: "utf8", maxBuffer: 64 * 1024 * 1024 }).trimEnd();

function requireCommitted(): void {
  const changed = git("status", "--porcelain").split("\n").filter(Boolean);
  if (changed.length === 0) return;
  const shown = changed.slice(0, 10).join("\n");
  const more = changed.length > 10 ? `\nand ${changed.length - 10} more` : "";
  throw new Refusal(`the checkout has changes that no commit has:\n${shown}${more}`);
}

const checkout = () => ({
  commit: git("rev-parse", "HEAD"),
  /** When it was committed, in seconds since 1970: the time of every file in an archive. */
  seconds: Number(git("log", "-1", "--format=%ct")),
});

const sha256 = (file: string): string =>
  createHash("sha256").update(readFileSync(file)).digest("hex");

const shippedFile = (folder: string, name: string): ShippedFile => ({
  name,
  sha256: sha256(path.join(folder, name)),
  platform: PLATFORMS.find((one) => workerFileName(one) === name),
});

const step = (what: string) => void process.stderr.write(`${what} ...\n`);

main().catch((error: unknown) => {
  process.stderr.write(`release: ${(error as Error).message}\n`);
  const isAsked = error instanceof Refusal || error instanceof TypeError;
  process.exitCode = isAsked ? 2 : 1;
});
