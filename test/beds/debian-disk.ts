import { execFileSync, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { mkdir, rename, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import type { Bed } from "./bed.ts";
import { startFileShelf } from "./file-shelf.ts";
import { makeGuest } from "./guest.ts";

const cache = path.resolve(import.meta.dirname, "../../.cache/debian-disk");

/** By hand: serves the files of a job that boots Debian from a disk, and writes the job. */
export async function start(folder: string, say: (line: string) => void): Promise<DebianBed> {
  const guest = await makeGuest(say, "amd64");
  const shelf = await startFileShelf({
    vmlinuz: path.join(guest, "vmlinuz"),
    "initramfs.cpio.gz": path.join(guest, "initramfs.cpio.gz"),
    "debian.ext4.gz": await makeDebianDisk(say),
  });
  const job = path.join(folder, "debian-disk.yaml");
  await writeFile(job, jobOf(shelf.url));
  return {
    job: jobOf(shelf.url),
    dictionary: "{% extends 'qemu.jinja2' %}\n{% set no_kvm = true %}\n{% set memory = 512 %}\n",
    hints: [
      `A job for it: ${job}`,
      `Its files: ${shelf.url}vmlinuz, initramfs.cpio.gz, debian.ext4.gz`,
    ],
    close: () => shelf.close(),
  };
}

export interface DebianBed extends Bed {
  /** A complete job, with the addresses of the bed's files. */
  readonly job: string;
}

/**
 * Makes a disk with Debian (systemd, a login on the serial console, a network by DHCP; user root, password lava) and returns
 * its file, compressed by gzip. Made once: the folder's name says how. Without a loop device; a user who isn't root needs
 * what mmdebstrap asks of one (subordinate ids), and fakeroot.
 *
 * @throws with what to install when a tool is missing.
 */
export async function makeDebianDisk(say: (line: string) => void): Promise<string> {
  const recipe = createHash("sha256").update(readFileSync(import.meta.filename));
  const made = path.join(cache, recipe.digest("hex").slice(0, 8));
  const image = path.join(made, "debian.ext4.gz");
  if (existsSync(image)) return image;
  const isRoot = process.getuid?.() === 0;
  for (const [tool, from] of [
    ["mmdebstrap", "mmdebstrap"],
    ["mke2fs", "e2fsprogs"],
    ...(isRoot ? [] : [["fakeroot", "fakeroot"]]),
  ] as const) {
    const found = spawnSync("sh", ["-c", `command -v ${tool}`], { env }).status === 0;
    if (!found) throw new Error(`${tool} is missing: install Debian's package ${from}`);
  }
  const work = path.join(cache, `work-${process.pid}`);
  try {
    await mkdir(path.join(work, "out"), { recursive: true });
    say("Making a disk with Debian (once): fetching its packages ...");
    const tree = path.join(work, "root.tar");
    run(["mmdebstrap", "--quiet", "--variant=minbase", ...RECIPE, "bookworm", tree]);
    say("Making a disk with Debian: the image ...");
    // Owners and devices are those of the archive, for real or for fakeroot's programs.
    const script =
      'mkdir "$1" && tar -C "$1" --numeric-owner -xf "$2" && mke2fs -q -F -t ext4 -L debian -d "$1" "$3" 600M';
    const argv = [
      "sh",
      "-c",
      script,
      "sh",
      path.join(work, "root"),
      tree,
      path.join(work, "debian.ext4"),
    ];
    run([...(isRoot ? [] : ["fakeroot"]), ...argv]);
    run([
      "sh",
      "-c",
      'gzip -1 <"$1" >"$2"',
      "sh",
      path.join(work, "debian.ext4"),
      path.join(work, "out/debian.ext4.gz"),
    ]);
    await rename(path.join(work, "out"), made).catch((error: unknown) => {
      // Somebody else made the same one meanwhile.
      if (!existsSync(image)) throw error;
    });
    return image;
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

const customize = (command: string): string => `--customize-hook=${command}`;

// It is "lava".
const PASSWORD =
  "$6$pumice$wYZiDwTXWpFMjoEYoo//nCxFAWxz/ZE1QPSLayBWBAqBDxuvVs.VsC0zEdS0qJjdTi3h/ureKmeD3kuwfJ.iv1";

/** systemd and what finds the devices; the kernel and its modules come with the initramfs. */
const RECIPE = [
  "--architectures=amd64",
  "--include=systemd-sysv,udev,iproute2",
  ...["doc", "man", "locale", "info"].map((dir) => `--dpkgopt=path-exclude=/usr/share/${dir}/*`),
  // Not by chpasswd: that would ask the host's libraries.
  customize(`sed -i 's,^root:[^:]*:,root:${PASSWORD}:,' "$1/etc/shadow"`),
  customize(`echo debian >"$1/etc/hostname"; echo 127.0.0.1 localhost debian >"$1/etc/hosts"`),
  customize(
    `printf '[Match]\\nName=e*\\n[Network]\\nDHCP=yes\\n' >"$1/etc/systemd/network/lab.network"`,
  ),
  customize(`chroot "$1" systemctl --quiet enable systemd-networkd`),
  // Work that a machine of the first hour has to do, and nobody looks at.
  customize(
    `chroot "$1" systemctl --quiet mask apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer fstrim.timer systemd-timesyncd.service systemd-networkd-wait-online.service`,
  ),
];

const jobOf = (files: string): string => `device_type: qemu
job_name: Debian from a disk
visibility: public
context: {arch: amd64}
timeouts:
  job: {minutes: 8}
  action: {minutes: 4}
  connection: {minutes: 4}
actions:
  - deploy:
      to: tmpfs
      images:
        kernel:
          url: ${files}vmlinuz
          image_arg: -kernel {kernel} -append "console=ttyS0,115200 root=/dev/vda rw net.ifnames=0"
        initramfs:
          url: ${files}initramfs.cpio.gz
          image_arg: -initrd {initramfs}
        rootfs:
          url: ${files}debian.ext4.gz
          compression: gz
          image_arg: -drive format=raw,file={rootfs},if=virtio
          format: ext4
          overlays:
            lava: true
      os: debian
  - boot:
      method: qemu
      auto_login:
        login_prompt: 'debian login: '
        username: root
        password_prompt: 'Password: '
        password: lava
      prompts: ['root@debian:[^#]*# ']
  - test:
      definitions:
        - from: inline
          name: debian
          path: inline/debian.yaml
          repository:
            metadata: {format: Lava-Test Test Definition 1.0, name: debian}
            run:
              steps:
                - lava-test-case release --shell grep -q bookworm /etc/os-release
                - lava-test-case systemd --shell systemctl is-active systemd-journald serial-getty@ttyS0
                - lava-test-case root --shell 'grep "^/dev/vda / ext4 rw" /proc/mounts'
                - lava-test-case network --shell 'for try in 1 2 3 4 5 6 7 8 9 10; do ip route | grep default && exit; sleep 1; done; exit 1'
                - lava-test-case boot-time --result pass --measurement "$(cut -d' ' -f1 /proc/uptime)" --units seconds
`;

const env = { ...process.env, PATH: `${process.env["PATH"] ?? ""}:/usr/sbin:/sbin` };
function run([tool = "", ...args]: readonly string[]): void {
  execFileSync(tool, args, { env, stdio: ["ignore", "ignore", "inherit"] });
}
