import * as v from "valibot";
import { may, strict } from "./schema-parts.ts";

/** The keys that a job's `context` may have (JOB.md 3). */
export const CONTEXT_KEYS = `
  arch boot_console boot_root cpu extra_options guestfs_driveid guestfs_interface guestfs_size machine memory model
  monitor netdevice no_kvm no_network serial vga
  booti_dtb_addr booti_kernel_addr booti_ramdisk_addr
  bootm_dtb_addr bootm_kernel_addr bootm_ramdisk_addr
  bootz_dtb_addr bootz_kernel_addr bootz_ramdisk_addr
  uboot_extra_error_message uboot_needs_interrupt uboot_altbank
  deploy_character_delay boot_character_delay test_character_delay
  boot_retry bootloader_prompt console_device custom_kernel_args extra_kernel_args extra_nfsroot_args failure_retry
  kernel_loglevel kernel_start_message lava_test_results_dir menu_interrupt_prompt mustang_menu_list tftp_mac_address
`
  .trim()
  .split(/\s+/);

const isPlain = (value: unknown): value is string | number | boolean =>
  typeof value === "string" || typeof value === "boolean" || Number.isInteger(value);
const PLAIN = ["string", "integer", "boolean"];
const contextValue = v.pipe(
  v.custom<string | number | boolean | (string | number | boolean)[]>(
    (value) => (Array.isArray(value) ? value.every(isPlain) : isPlain(value)),
    "expected a whole number, text or a list of those",
  ),
  v.metadata({ type: [...PLAIN, "array"], items: { type: PLAIN } }),
);

/** What a job says to the device's templates: an allow-list at every strength (JOB.md 3). */
export const contextSchema = strict(
  may(Object.fromEntries(CONTEXT_KEYS.map((key) => [key, contextValue]))),
);
