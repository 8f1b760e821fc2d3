import { execFileSync } from "node:child_process";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { open } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { appendCpio } from "../../worker/overlay/cpio.ts";
import { methodPage } from "../support/method-page.ts";
import { runOnBed, type BedRan } from "../support/run-on-bed.ts";
import { makeGrub } from "./efi.ts";
import { startFileShelf, type FileShelf } from "./file-shelf.ts";
import { makeGuest } from "./guest.ts";

const missing = [
  ["/usr/share/ovmf/OVMF.fd", "ovmf"],
  ["/usr/bin/xorriso", "xorriso"],
  ["/usr/bin/grub-mkstandalone", "grub-common and grub-efi-amd64-bin"],
].find(([file]) => !existsSync(file ?? ""));
if (missing) console.warn(`skipped: ${missing[0]} is missing: install ${missing[1]}`);

const folder = mkdtempSync(path.join(tmpdir(), "pumice-iso-"));
const at = (name: string): string => path.join(folder, name);
let shelf: FileShelf | undefined;
afterAll(async () => {
  await shelf?.close();
  rmSync(folder, { recursive: true });
});

/** A small real installer: it finds the answers by its command line, and does what they say. */
const INSTALLER = `#!/bin/sh
export PATH=/bin:/sbin
ip link set lo up
ip link set eth0 up
udhcpc -i eth0 -n -q -t 5 -T 2 -s /bin/dhcp-script
for word in $(cat /proc/cmdline); do
  case "$word" in preseed/url=*) url=\${word#*=} ;; esac
done
wget -q -O /tmp/preseed "$url" || exec sleep 1000
image=$(sed -n 's/^image //p' /tmp/preseed)
[ -b /dev/sda ] && [ ! -e /dev/sdb ] || { echo "expected one disk" >/dev/console; exec sleep 1000; }
{ wget -q -O - "$image" | gunzip >/dev/sda; } || exec sleep 1000
echo "installed $image" >/dev/console
sync
reboot -f
`;

beforeAll(async () => {
  if (missing) return;
  const guest = await makeGuest(() => {}, "amd64");
  mkdirSync(at("tree/etc"), { recursive: true });
  writeFileSync(at("tree/etc/rc"), INSTALLER, { mode: 0o755 });
  const archive = await open(at("rc.cpio"), "w+");
  await appendCpio(archive, at("tree"), "", (name) => name === "etc").finally(() =>
    archive.close(),
  );
  const initramfs = path.join(guest, "initramfs.cpio.gz");
  mkdirSync(at("disc/install.amd"), { recursive: true });
  copyFileSync(path.join(guest, "vmlinuz"), at("disc/install.amd/vmlinuz"));
  const both = [readFileSync(initramfs), gzipSync(readFileSync(at("rc.cpio")))];
  writeFileSync(at("disc/install.amd/initrd.gz"), Buffer.concat(both));
  const mkisofs = ["-as", "mkisofs", "-quiet", "-r", "-o", at("installer.iso"), at("disc")];
  execFileSync("xorriso", mkisofs, { stdio: "ignore" });
  await makeGrub(folder, at("boot.efi"), {
    "grub.cfg":
      "search --file /vmlinuz --set=root\nlinux /vmlinuz console=ttyS0 login\ninitrd /initramfs\nboot\n",
  });
  execFileSync("/usr/sbin/mkfs.vfat", ["-C", at("installed"), String(96 * 1024)]);
  const mtools = (...words: string[]): void => {
    execFileSync(words[0] ?? "", ["-i", at("installed"), ...words.slice(1)]);
  };
  mtools("mmd", "::EFI", "::EFI/BOOT");
  mtools("mcopy", at("boot.efi"), "::EFI/BOOT/BOOTX64.EFI");
  mtools("mcopy", path.join(guest, "vmlinuz"), "::vmlinuz");
  mtools("mcopy", initramfs, "::initramfs");
  writeFileSync(at("installed.gz"), gzipSync(readFileSync(at("installed")), { level: 1 }));
  shelf = await startFileShelf({
    "installer.iso": at("installer.iso"),
    "preseed.cfg": at("preseed.cfg"),
    "installed.gz": at("installed.gz"),
  });
  const image = `${shelf.url.replace("127.0.0.1", "10.0.2.2")}installed.gz`;
  writeFileSync(at("preseed.cfg"), `# answers\nimage ${image}\n`);
});

const runPage = (name: string, change = (job: string): string => job): Promise<BedRan> => {
  const page = methodPage(name);
  return runOnBed({
    job: change(page.job.replaceAll("http://files.example.com/", shelf?.url ?? "")),
    dictionary: page.dictionary,
    dispatcher: { dispatcher_ip: "10.0.2.2", services_address: "127.0.0.1" },
  });
};

describe.skipIf(missing)("an installer on a disc image", () => {
  test("installs unattended, and what it installed is tested with the overlay as a second drive", async () => {
    const ran = await runPage("boot-qemu-iso");
    expect(ran.outcome, ran.text).toMatchObject({ result: "pass" });
    expect(ran.text).toMatch(/target .*installed http:\/\/10\.0\.2\.2/);
    expect(ran.results).toContainEqual(
      expect.objectContaining({ definition: "0_installed", case: "no-installer", result: "pass" }),
    );
  });

  test("whose kernel isn't where the job says fails, with what is there", async () => {
    const ran = await runPage("deploy-iso-installer", (job) => job.replace("/vmlinuz", "/linux"));
    expect(ran.outcome).toMatchObject({ result: "fail", error_type: "Job" });
    expect(ran.outcome.error_msg).toMatch(/the ISO has no file \/install.amd\/linux .*vmlinuz/);
  });
});
