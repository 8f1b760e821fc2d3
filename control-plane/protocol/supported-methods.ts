/**
 * What Pumice's runner can do today, in a job's words. Every new method in worker/actions gets its word here; what it
 * needs of the device is in job-strategies.ts.
 */
const deploy: string[] = [
  "tmpfs",
  "download",
  "downloads",
  "usb",
  "sata",
  "sd",
  "u-boot-ums",
  "flasher",
  "usbg-ms",
  "ssh",
  "overlay",
  "recovery",
  "fastboot",
  "docker",
  "uuu",
  "qdl",
  "fvp",
  "vemsd",
  "mps",
  "musca",
];
const boot: string[] = [
  "qemu",
  "minimal",
  "new_connection",
  "ssh",
  "kexec",
  "schroot",
  "recovery",
  "u-boot",
  "barebox",
  "depthcharge",
  "bootloader",
  "gdb",
  "grub",
  "grub-efi",
  "ipxe",
  "uefi",
  "uefi-menu",
  "fastboot",
  "docker",
  "uuu",
  "qdl",
  "dfu",
  "jlink",
  "pyocd",
  "openocd",
  "cmsis-dap",
  "musca",
];
const test: string[] = ["definitions", "interactive", "monitors", "docker"];

export const SUPPORTED_METHODS = { deploy, boot, test, command: ["command"] };
