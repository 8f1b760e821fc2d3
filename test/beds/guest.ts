import { execFileSync, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { chmod, cp, mkdir, open, readdir, rename, rm, symlink, writeFile } from "node:fs/promises";
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { appendCpio } from "../../worker/overlay/cpio.ts";
import { disk, initramfs } from "./guest-files.ts";

/** Debian's names. */
export type GuestArch = "amd64" | "arm64" | "armhf";

const KERNELS: Readonly<Record<GuestArch, string>> = {
  amd64: "linux-image-cloud-amd64",
  arm64: "linux-image-cloud-arm64",
  armhf: "linux-image-armmp-lpae",
};

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../..");
const cache = path.join(root, ".cache/guest");

/**
 * Makes a small real guest for QEMU from Debian's packages, without root, and returns its folder:
 * `vmlinuz`, `initramfs.cpio.gz` (a shell on the console, or a login with `login` on the kernel's
 * command line; `ip=dhcp` on it brings up the network) and `rootfs.ext4.gz` (a disk whose init asks for a login; boot it
 * with the same kernel and initramfs and `root=/dev/vda`). User root, password lava. Made once: the folder's name says
 * how. For another architecture than this machine's, nothing is installed and nothing foreign is run.
 *
 * @throws with what to install or run when something is missing.
 */
export async function makeGuest(
  say: (line: string) => void,
  arch: GuestArch = hostArch(),
): Promise<string> {
  const made = path.join(cache, `${arch}-${recipeVersion()}`);
  if (existsSync(path.join(made, "rootfs.ext4.gz"))) return made;
  for (const [tool, from] of [
    ["apt-get", "apt"],
    ["dpkg-deb", "dpkg"],
    ["mke2fs", "e2fsprogs"],
  ] as const) {
    if (!has(tool)) throw new Error(`${tool} is missing: install Debian's package ${from}`);
  }
  const work = path.join(cache, `work-${arch}-${process.pid}`);
  try {
    await mkdir(path.join(work, "out"), { recursive: true });
    say(
      `Making a guest for QEMU (once): fetching a kernel and busybox for ${arch} from Debian ...`,
    );
    const packages = await unpackPackages(arch, work);
    say("Making a guest for QEMU: initramfs and disk image ...");
    await buildInto(path.join(work, "out"), packages, work);
    await rename(path.join(work, "out"), made).catch((error: unknown) => {
      // Somebody else made the same one meanwhile.
      if (!existsSync(path.join(made, "rootfs.ext4.gz"))) throw error;
    });
    say(`Made ${path.relative(process.cwd(), made) || made}`);
    return made;
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

async function buildInto(out: string, packages: string, work: string): Promise<void> {
  const boot = path.join(packages, "boot");
  const kernel = (await readdir(boot)).find((name) => name.startsWith("vmlinuz-"));
  if (!kernel) throw new Error(`no kernel in the package: ${(await readdir(boot)).join(" ")}`);
  const busybox = path.join(packages, "bin/busybox");
  const modules = modulesFor(
    path.join(packages, "lib/modules", kernel.slice("vmlinuz-".length)),
    MODULES,
  );

  const first = path.join(work, "initramfs");
  await writeTree(first, initramfs(modules.map(({ name }) => name)), busybox);
  for (const { name, content } of modules) {
    await writeFile(path.join(first, "lib/modules", `${name}.ko`), content);
  }
  const archive = path.join(work, "initramfs.cpio");
  const file = await open(archive, "w+");
  await appendCpio(file, first, "").finally(() => file.close());
  await writeFile(path.join(out, "initramfs.cpio.gz"), gzipSync(readFileSync(archive)));

  const second = path.join(work, "disk");
  await writeTree(second, disk(), busybox);
  const image = path.join(work, "rootfs.ext4");
  run("mke2fs", ["-q", "-F", "-t", "ext4", "-L", "rootfs", "-d", second, image, "16M"]);
  await cp(path.join(boot, kernel), path.join(out, "vmlinuz"));
  await writeFile(path.join(out, "rootfs.ext4.gz"), gzipSync(readFileSync(image)));
}

/** What a guest's disk, IDE drive and network card need; what the kernel has built in is absent from its package. */
export const MODULES = "virtio_pci virtio_mmio virtio_blk virtio_net ata_piix sd_mod ext4".split(
  " ",
);

/** Writes files (mode 755 where the content is a script), folders and busybox with its applets. */
export async function writeTree(
  dir: string,
  files: Readonly<Record<string, string>>,
  busybox: string,
): Promise<void> {
  for (const folder of "bin dev etc lib/modules mnt proc root run sys tmp usr var".split(" ")) {
    await mkdir(path.join(dir, folder), { recursive: true });
  }
  await chmod(path.join(dir, "tmp"), 0o1777);
  await cp(busybox, path.join(dir, "bin/busybox"));
  await chmod(path.join(dir, "bin/busybox"), 0o755);
  await symlink("bin", path.join(dir, "sbin"));
  for (const applet of appletsOf(busybox)) {
    await symlink("busybox", path.join(dir, "bin", applet));
  }
  for (const [name, content] of Object.entries(files)) {
    const file = path.join(dir, name);
    await mkdir(path.dirname(file), { recursive: true });
    await writeFile(file, content, { mode: content.startsWith("#!") ? 0o755 : 0o644 });
  }
}

/** The names of busybox's applets, which stand in it one after the other: a foreign one can't be asked. */
function appletsOf(busybox: string): string[] {
  const content = readFileSync(busybox).toString("latin1");
  const start = content.indexOf("[\0[[\0");
  const names = content.slice(start, content.indexOf("\0\0", start)).split("\0");
  if (start < 0 || !names.includes("sh")) throw new Error("busybox: its applets can't be found");
  return names.filter((name) => name !== "busybox");
}

/** The modules of these names that there are in a folder, with what they need, in the order to load them. */
export function modulesFor(
  dir: string,
  names: readonly string[],
): { name: string; content: Buffer }[] {
  const found = new Map<string, string>();
  for (const file of execFileSync("find", [dir, "-name", "*.ko*"], { encoding: "utf8" })
    .trim()
    .split("\n")) {
    found.set(moduleName(file), file);
  }
  const loaded = new Map<string, Buffer>();
  const load = (name: string): void => {
    const file = found.get(name);
    if (file === undefined || loaded.has(name)) return;
    const content = file.endsWith(".xz")
      ? execFileSync("xz", ["-dc", file], { maxBuffer: 1 << 26 })
      : readFileSync(file);
    const depends = /\0depends=([^\0]*)\0/.exec(content.toString("latin1"))?.[1] ?? "";
    for (const needed of depends.split(",").filter(Boolean)) load(needed);
    loaded.set(name, content);
  };
  for (const name of names) load(name);
  return [...loaded].map(([name, content]) => ({ name, content }));
}
const moduleName = (file: string): string =>
  path
    .basename(file)
    .replace(/\.ko.*$/, "")
    .replaceAll("-", "_");

/** A folder with the newest kernel and busybox, and with `tools` and the libraries that those need. */
export async function unpackPackages(
  arch: GuestArch,
  work: string,
  tools: readonly string[] = [],
): Promise<string> {
  const debs = path.join(cache, "debs", arch);
  await mkdir(debs, { recursive: true });
  const meta = KERNELS[arch];
  // The machine's own package lists first; without usable ones, lists of our own, which need no root.
  const own = path.join(cache, `apt-${arch}`);
  const apts = [
    ...(arch === hostArch() ? [[]] : []),
    [
      `Dir::State::lists=${own}/lists`,
      `Dir::Cache=${own}/cache`,
      `APT::Architecture=${arch}`,
      `APT::Architectures::=${arch}`,
      `APT::Architectures=${arch}`,
    ].flatMap((option) => ["-o", option]),
  ];
  let problem = "";
  let said = "";
  for (const options of apts) {
    if (options.length > 0) {
      await mkdir(path.join(own, "lists/partial"), { recursive: true });
      await mkdir(path.join(own, "cache/archives/partial"), { recursive: true });
      // It may end well without having reached anything: what it said then is the reason.
      said = attempt("apt-get", [...options, "-q", "update"], work).said;
    }
    const kernel = kernelPackage(meta, options);
    if (!kernel) {
      problem = `no package list knows ${meta}\n${said}`;
      continue;
    }
    const wanted = [kernel, "busybox-static", ...withLibraries(tools, options)];
    const fetched = attempt("apt-get", [...options, "-q", "download", ...wanted], debs);
    problem = fetched.said;
    if (fetched.status !== 0) continue;
    const target = path.join(work, "packages");
    for (const name of await readdir(debs)) {
      if (wanted.some((one) => name.startsWith(`${one}_`))) {
        run("dpkg-deb", ["-x", path.join(debs, name), target]);
      }
    }
    return target;
  }
  throw new Error(
    `could not fetch ${meta} and busybox-static with apt-get:\n${problem.trim()}\nWith network and Debian's sources in /etc/apt, run this as root, then try again: apt-get update`,
  );
}

function kernelPackage(meta: string, options: string[]): string | undefined {
  const { stdout } = spawnSync("apt-cache", [...options, "depends", meta], { encoding: "utf8" });
  return /Depends: (linux-image-\S+)/.exec(stdout ?? "")?.[1];
}

/** Libraries only: what else a package asks for is for its installation. */
function withLibraries(tools: readonly string[], options: string[]): string[] {
  const found = new Set(tools);
  for (const name of found) {
    const { stdout } = spawnSync("apt-cache", [...options, "depends", name], { encoding: "utf8" });
    for (const [, library = ""] of (stdout ?? "").matchAll(/ Depends: (lib[\w.+-]+)$/gm)) {
      found.add(library);
    }
  }
  return [...found];
}

const hostArch = (): GuestArch => {
  if (process.arch === "x64") return "amd64";
  if (process.arch === "arm64") return "arm64";
  throw new Error(`no guest for ${process.arch}: use an amd64 or arm64 machine`);
};

/** Changes when the recipe does, so that an old guest isn't taken for a new one. */
function recipeVersion(): string {
  const hash = createHash("sha256");
  for (const name of ["test/beds/guest.ts", "test/beds/guest-files.ts", "worker/overlay/cpio.ts"]) {
    hash.update(readFileSync(path.join(root, name)));
  }
  return hash.digest("hex").slice(0, 8);
}

const withSbin = { ...process.env, PATH: `${process.env["PATH"] ?? ""}:/usr/sbin:/sbin` };
const has = (tool: string): boolean =>
  spawnSync("sh", ["-c", `command -v ${tool}`], { env: withSbin }).status === 0;
export const run = (tool: string, args: string[]): void =>
  void execFileSync(tool, args, { env: withSbin, stdio: ["ignore", "ignore", "inherit"] });

function attempt(
  tool: string,
  args: string[],
  cwd: string,
): { status: number | null; said: string } {
  const { status, stdout, stderr } = spawnSync(tool, args, { cwd, encoding: "utf8" });
  return { status, said: `${stdout}${stderr}`.trim().split("\n").slice(-8).join("\n") };
}
