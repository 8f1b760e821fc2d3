import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { startFileShelf, type FileShelf } from "../../beds/file-shelf.ts";
import { methodPage } from "../../support/method-page.ts";
import { runOnBed } from "../../support/run-on-bed.ts";

const { PATH } = process.env;
let folder: string;
let shelf: FileShelf;
const at = (name: string): string => path.join(folder, name);

/** QEMU's stand-in: looks at what it is told as a kernel with its root on NFS would, then is a shell. */
const QEMU = (root: string): string => `#!/bin/sh
case "$1" in --version | --help) echo "QEMU emulator version 9.9.9"; exit ;; esac
for word in "$@"; do printf '%s\\n' "$word"; done >${root}/argv
while [ $# -gt 0 ]; do
  case "$1" in
    -kernel) kernel=$2 ;;
    -initrd) initrd=$2 ;;
    --append) append=$2 ;;
    nfsroot*) echo "an image argument of the root: $1" >&2; exit 1 ;;
  esac
  shift
done
[ "$(cat "$kernel")" = kernel ] && [ "$(cat "$initrd")" = initrd ] || exit 1
nfs=$(echo "$append" | sed -n 's/^console=ttyAMA0 root=.dev.nfs nfsroot=10.9.8.7:\\([^,]*\\),tcp,hard rw ip=dhcp$/\\1/p')
[ -d "$nfs" ] || { echo "no root: $append" >&2; exit 1; }
echo "Linux version 6.1"
echo "root has $(cat "$nfs/etc/hostname")"
printf 'login: '
read -r user
while printf 'root@pumice:~# ' && read -r line; do :; done
`;

beforeEach(async () => {
  folder = mkdtempSync(path.join(tmpdir(), "pumice-nfs-"));
  mkdirSync(at("bin"));
  writeFileSync(at("bin/qemu-system-aarch64"), QEMU(folder), { mode: 0o755 });
  process.env["PATH"] = `${at("bin")}:${PATH}`;
  mkdirSync(at("root/etc"), { recursive: true });
  writeFileSync(at("root/etc/hostname"), "pumice");
  execFileSync("tar", ["-C", at("root"), "-czf", at("rootfs.tar.gz"), "."]);
  writeFileSync(at("Image"), "kernel");
  writeFileSync(at("initrd.img"), "initrd");
  mkdirSync(at("exported"));
  shelf = await startFileShelf({
    "rootfs.tar.gz": at("rootfs.tar.gz"),
    Image: at("Image"),
    "initrd.img": at("initrd.img"),
  });
});
afterEach(async () => {
  process.env["PATH"] = PATH;
  await shelf.close();
  rmSync(folder, { recursive: true });
});

const run = (job: string, nfs_root: string | undefined) =>
  runOnBed({
    job: job.replaceAll("http://files.example.com/", shelf.url),
    dictionary: methodPage("boot-qemu-nfs").dictionary,
    // The stand-in looks at the exported folder itself, where a guest asks the network.
    dispatcher: {
      dispatcher_ip: "10.9.8.7",
      qemu_confinement: "off",
      ...(nfs_root ? { nfs_root } : {}),
    },
  });

test("a guest is told where its root is, which lies unpacked in an exported folder", async () => {
  const ran = await run(methodPage("boot-qemu-nfs").job, at("exported"));
  expect(ran.outcome, ran.text).toMatchObject({ result: "pass" });
  expect(ran.text).toContain("target root has pumice");
  const words = readFileSync(at("argv"), "utf8").split("\n");
  expect(words).toEqual(expect.arrayContaining(["-kernel", "-initrd", "--append"]));
});

test("without the job's own way to mount it the device's is used", async () => {
  const job = methodPage("boot-qemu-nfs").job.replace(/ *image_arg: nfsroot=.*\n/, "");
  const ran = await run(job, at("exported"));
  expect(ran.outcome, ran.text).toMatchObject({ result: "pass" });
});

test("a worker that exports nothing says so before anything runs", async () => {
  const ran = await run(methodPage("boot-qemu-nfs").job, undefined);
  expect(ran.outcome).toMatchObject({ result: "fail", error_type: "Configuration" });
  expect(ran.outcome.error_msg).toContain("set nfs_root");
});
