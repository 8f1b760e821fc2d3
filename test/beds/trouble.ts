import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { open, rename, writeFile } from "node:fs/promises";
import path from "node:path";
import { gzipSync } from "node:zlib";
import { appendCpio } from "../../worker/overlay/cpio.ts";
import { makeGuest } from "./guest.ts";

const source = path.join(import.meta.dirname, "trouble/trouble.c");

export interface TroubleGuest {
  readonly kernel: string;
  /** Has `/trouble.ko`. */
  readonly initramfs: string;
}

/**
 * A guest whose kernel can be brought into trouble: with a module of ours, built with the headers that Debian has for the
 * guest's kernel. Made once.
 *
 * @throws with what to install when something is missing; on other machines than amd64.
 */
export async function makeTroubleGuest(say: (line: string) => void): Promise<TroubleGuest> {
  if (process.arch !== "x64") throw new Error("a kernel in trouble: only on an amd64 machine");
  const guest = await makeGuest(say);
  const kernel = path.join(guest, "vmlinuz");
  const version = createHash("sha256").update(readFileSync(source)).digest("hex").slice(0, 8);
  const initramfs = path.join(guest, `trouble-${version}.cpio.gz`);
  if (existsSync(initramfs)) return { kernel, initramfs };
  const work = path.join(guest, `work-${process.pid}`);
  try {
    say("Building a kernel module (once): fetching the kernel's headers from Debian ...");
    const module = path.join(work, "root/trouble.ko");
    mkdirSync(path.dirname(module), { recursive: true });
    cpSync(buildModule(work, releaseOf(kernel)), module);
    const archive = path.join(work, "extra.cpio");
    const file = await open(archive, "w+");
    await appendCpio(file, path.dirname(module), "").finally(() => file.close());
    const both = [
      readFileSync(path.join(guest, "initramfs.cpio.gz")),
      gzipSync(readFileSync(archive)),
    ];
    await writeFile(path.join(work, "both"), Buffer.concat(both));
    await rename(path.join(work, "both"), initramfs);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  return { kernel, initramfs };
}

/** `6.1.0-56-cloud-amd64`: a bzImage has its release behind the offset that its header names. */
function releaseOf(kernel: string): string {
  const image = readFileSync(kernel);
  const at = image.readUInt16LE(0x20e) + 0x200;
  return image.toString("latin1", at, image.indexOf(" ", at));
}

function buildModule(work: string, release: string): string {
  const headers = `linux-headers-${release}`;
  const needed = packagesOf(headers);
  execFileSync("apt-get", ["-q", "download", ...needed], { cwd: work, stdio: "pipe" });
  const tree = path.join(work, "tree");
  for (const name of readdirSync(work).filter((one) => one.endsWith(".deb"))) {
    execFileSync("dpkg-deb", ["-x", path.join(work, name), tree]);
  }
  const sources = path.join(tree, "usr/src");
  const common = readdirSync(sources).find((name) => name.endsWith("-common"));
  if (common === undefined) throw new Error(`no common headers among ${needed.join(" ")}`);
  const build = path.join(work, "module");
  mkdirSync(build);
  cpSync(source, path.join(build, "trouble.c"));
  execFileSync("sh", ["-c", `echo 'obj-m := trouble.o' >"$1/Makefile"`, "sh", build]);
  // As installed, it names the folder where the package would have it.
  const makefile = path.join(sources, headers, "Makefile");
  rmSync(makefile);
  execFileSync("sh", [
    "-c",
    'echo "include $1" >"$2"',
    "sh",
    path.join(sources, common, "Makefile"),
    makefile,
  ]);
  const make = ["-s", "-C", path.dirname(makefile), `M=${build}`, "ARCH=x86", "CC=gcc", "modules"];
  execFileSync("make", make, { stdio: "pipe" });
  return path.join(build, "trouble.ko");
}

/** The headers' package with those that it is built with. */
function packagesOf(headers: string): string[] {
  const said = execFileSync("apt-cache", ["depends", headers], { encoding: "utf8" });
  const needed = [...said.matchAll(/Depends: (linux-(?:headers|kbuild)-\S+)/g)];
  if (needed.length === 0) {
    throw new Error(`no package list knows ${headers}: apt-get update, or remove .cache/guest`);
  }
  return [headers, ...needed.map(([, name = ""]) => name)];
}
