import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { cp, mkdir, open, readdir, rename, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { gzipSync } from "node:zlib";
import { appendCpio } from "../../worker/overlay/cpio.ts";
import { disk, initramfs } from "./guest-files.ts";
import { MODULES, modulesFor, run, unpackPackages, writeTree, type GuestArch } from "./guest.ts";

const cache = path.resolve(import.meta.dirname, "../../.cache/network-root");

/**
 * Makes a guest whose root file system is on the network, and returns its folder: `vmlinuz`; `initramfs.cpio.gz`, which
 * mounts by NBD (`nbd.server=` and `nbd.port=` on the kernel's command line) or by NFS 4 (`nfsroot=SERVER:FOLDER,OPTIONS`);
 * and `root.tar.gz`, a root file system that asks for a login (root, password lava). Made once: the folder's name says how.
 *
 * @throws with what to install or run when something is missing.
 */
export async function makeNetworkRoot(
  say: (line: string) => void,
  arch: GuestArch,
): Promise<string> {
  const made = path.join(cache, `${arch}-${recipeVersion()}`);
  if (existsSync(path.join(made, "root.tar.gz"))) return made;
  const work = path.join(cache, `work-${arch}-${process.pid}`);
  try {
    await mkdir(path.join(work, "out"), { recursive: true });
    say(`Making a guest with its root on the network (once): fetching nbd-client for ${arch} ...`);
    const packages = await unpackPackages(arch, work, ["nbd-client"]);
    await buildInto(path.join(work, "out"), packages, work);
    await rename(path.join(work, "out"), made).catch((error: unknown) => {
      // Somebody else made the same one meanwhile.
      if (!existsSync(path.join(made, "root.tar.gz"))) throw error;
    });
    return made;
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

async function buildInto(out: string, packages: string, work: string): Promise<void> {
  const boot = path.join(packages, "boot");
  const kernel = (await readdir(boot)).find((name) => name.startsWith("vmlinuz-")) ?? "";
  const busybox = path.join(packages, "bin/busybox");
  const folder = path.join(packages, "lib/modules", kernel.slice("vmlinuz-".length));
  const modules = modulesFor(folder, [...MODULES, "nbd", "nfsv4"]);

  const first = path.join(work, "initramfs");
  const init = `#!/bin/sh\n${INIT(modules.map(({ name }) => name))}`;
  await writeTree(first, { ...initramfs([]), init }, busybox);
  for (const { name, content } of modules) {
    await writeFile(path.join(first, "lib/modules", `${name}.ko`), content);
  }
  await addProgram(first, packages, "sbin/nbd-client");
  const archive = path.join(work, "initramfs.cpio");
  const file = await open(archive, "w+");
  await appendCpio(file, first, "").finally(() => file.close());
  await writeFile(path.join(out, "initramfs.cpio.gz"), gzipSync(readFileSync(archive)));

  const second = path.join(work, "disk");
  await writeTree(second, disk(), busybox);
  const root = path.join(out, "root.tar.gz");
  run("tar", ["-C", second, "--owner=0", "--group=0", "--numeric-owner", "-czf", root, "."]);
  await cp(path.join(boot, kernel), path.join(out, "vmlinuz"));
}

/** A program with its libraries: whatever it or they name that is one in the packages. */
async function addProgram(tree: string, packages: string, program: string): Promise<void> {
  const libraries = new Map<string, string>();
  for (const file of await readdir(packages, { recursive: true })) {
    if (/^(usr\/)?lib\/.*\.so[.\d]*$/.test(file)) libraries.set(path.basename(file), file);
  }
  const wanted = new Set([program]);
  for (const file of wanted) {
    const content = readFileSync(path.join(packages, file));
    for (const [, name = ""] of content
      .toString("latin1")
      .matchAll(/([\w.+-]+\.so[.\d]*)(?=\0)/g)) {
      const library = libraries.get(name);
      if (library !== undefined) wanted.add(library);
    }
    // The loader is where the program says; it looks for libraries in /lib, whatever the architecture.
    const to = file === program ? file : path.join("lib", path.basename(file));
    await writeFile(path.join(tree, to), content, { mode: 0o755 });
  }
}

/**
 * The worker of a bed is at a loopback address of its host, which QEMU's network reaches: the guest must not take those for
 * its own. All of that has to be done before the root is mounted, and to stay as it is.
 */
const INIT = (modules: readonly string[]): string => `export PATH=/bin:/sbin HOME=/root
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
for module in ${modules.join(" ")}; do insmod /lib/modules/$module.ko; done
ip link set lo up
ip addr del 127.0.0.1/8 dev lo
echo 1 >/proc/sys/net/ipv4/conf/all/route_localnet
ip link set eth0 up
udhcpc -i eth0 -n -q -t 5 -T 2 -s /bin/dhcp-script
server= port= nfs=
read -r line </proc/cmdline
for word in $line; do
  case "$word" in
    nbd.server=*) server=\${word#*=} ;;
    nbd.port=*) port=\${word#*=} ;;
    nfsroot=*) nfs=\${word#*=} ;;
  esac
done
if [ -n "$server" ]; then
  nbd-client "$server" "$port" /dev/nbd0 && mount -t ext4 /dev/nbd0 /mnt
else
  mount -t nfs -o "nolock,vers=4.1,\${nfs#*,}" "\${nfs%%,*}" /mnt
fi
if [ -d /mnt/sbin ]; then
  for dir in dev proc sys; do mount --move "/$dir" "/mnt/$dir"; done
  exec switch_root /mnt /sbin/init
fi
echo "no root file system on the network: $line" >/dev/console
exec sh </dev/console >/dev/console 2>&1
`;

/** Changes when the recipe does. */
function recipeVersion(): string {
  const hash = createHash("sha256");
  for (const name of ["network-root.ts", "guest.ts", "guest-files.ts"]) {
    hash.update(readFileSync(path.join(import.meta.dirname, name)));
  }
  return hash.digest("hex").slice(0, 8);
}
