/**
 * What Pumice's runner can do today, in a job's words. Every new method in worker/actions gets its word here; what it
 * needs of the device is in job-strategies.ts.
 */
const deploy: string[] = ["tmpfs", "ssh", "overlay", "recovery", "fastboot"];
const boot: string[] = [
  "qemu",
  "ssh",
  "kexec",
  "schroot",
  "recovery",
  "u-boot",
  "barebox",
  "depthcharge",
  "bootloader",
  "grub",
  "grub-efi",
  "ipxe",
  "uefi",
  "uefi-menu",
  "fastboot",
];
const test: string[] = ["definitions", "interactive", "monitors"];

export const SUPPORTED_METHODS = { deploy, boot, test, command: ["command"] };
