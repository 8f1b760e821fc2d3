import * as v from "valibot";
import { flag, listOf, mapOf, may, oneOf, text } from "#protocol/schema-parts.ts";
import type { Blocks } from "./blocks.ts";
import { texts, textOr, textOrTexts } from "./values.ts";

type Entries = Record<string, v.GenericSchema>;

/** JOB.md 6: every boot method by its word. */
export function bootSchemas(blocks: Blocks): Record<string, v.GenericSchema> {
  const { mapping, prompts, autoLogin, transferOverlay } = blocks;
  const messages = may({
    "bootloader-final-message": text,
    "kernel-start-message": text,
    "shutdown-message": text,
  });
  const boot = (own: Entries) =>
    mapping({
      method: text,
      ...own,
      ...may({ soft_reboot: textOrTexts, ignore_kernel_messages: flag }),
      parameters: own["parameters"] ?? v.optional(mapping(messages)),
      ...blocks.common,
    });
  const login = may({ prompts, auto_login: autoLogin });
  const shell = { ...login, ...may({ transfer_overlay: transferOverlay }) };
  return {
    ...bootloaders(boot, may({ prompts }), login, shell),
    ...emulators(blocks, boot, login, shell),
    ...boardTools(blocks, boot, shell),
    ...connections(blocks, boot, shell),
  };
}

type Boot = (own: Entries) => v.GenericSchema;

/** The methods that type into a boot loader. */
function bootloaders(boot: Boot, prompts: Entries, login: Entries, shell: Entries): Entries {
  const commands = textOrTexts;
  const bootscript = may({ use_bootscript: flag });
  const grub = boot({
    commands,
    ...shell,
    ...bootscript,
    ...may({ boot_finished: textOrTexts, reset: flag, expect_shell: flag }),
  });
  return {
    barebox: boot({ commands, ...shell }),
    bootloader: boot({
      bootloader: text,
      ...prompts,
      ...bootscript,
      ...may({ commands: texts, reset_connection: flag, reset_device: flag, reset: flag }),
    }),
    depthcharge: boot({ commands, ...shell, ...bootscript, ...may({ extra_kernel_args: text }) }),
    grub,
    "grub-efi": grub,
    ipxe: boot({ commands, ...shell, ...bootscript }),
    "u-boot": boot({ commands, ...shell, ...bootscript, ...may({ reset: flag }) }),
    uefi: boot({ commands, ...login, ...may({ shell_menu: text }) }),
    "uefi-menu": boot({ ...login, ...may({ commands: text, line_separator: text }) }),
  };
}

/** The methods whose device is a program on the worker or elsewhere. */
function emulators(
  { mapping, docker, dockerEntries, dockerByName, prompts }: Blocks,
  boot: Boot,
  login: Entries,
  shell: Entries,
): Entries {
  const connection = oneOf("serial");
  const container = {
    command: text,
    ...may({ prompts, "downloads-namespace": text }),
  };
  return {
    avh: boot({
      ...login,
      prompts,
      ...may({ bootargs: mapping(may({ normal: text, restore: text })), docker }),
    }),
    docker: boot(container),
    nodebooter: boot(container),
    fvp: boot({
      image: text,
      console_string: text,
      arguments: texts,
      docker: dockerByName,
      ...shell,
      ...may({
        use_telnet: flag,
        feedbacks: texts,
        license_variable: text,
        ubl_license: text,
        version_string: text,
        environment: texts,
        erpc_app: text,
        commands: texts,
      }),
    }),
    monitor: boot({}),
    qemu: boot({
      ...shell,
      ...may({
        connection,
        media: oneOf("tmpfs"),
        docker: mapping({ ...dockerEntries, ...may({ binary: text }) }),
      }),
    }),
    "qemu-iso": boot({ media: oneOf("img"), ...login }),
    "qemu-nfs": boot({ ...shell, ...may({ connection }) }),
  };
}

/** The methods that run a tool on the worker which talks to the board. */
function boardTools({ docker, prompts }: Blocks, boot: Boot, shell: Entries): Entries {
  const plain = boot({});
  return {
    "cmsis-dap": plain,
    dfu: plain,
    openocd: plain,
    pyocd: plain,
    fastboot: boot({ ...shell, ...may({ commands: texts, use_bootscript: flag, docker }) }),
    gdb: boot({ commands: text, ...may({ container: text }) }),
    jlink: boot(may({ prompts: texts, commands: texts, coretype: text })),
    musca: boot(may({ prompts })),
    qdl: boot({
      firehose_program: text,
      rawprogram: text,
      ...may({ patch: text, path: text, storage: text, debug: flag, docker }),
    }),
    recovery: boot({ commands: oneOf("recovery", "exit") }),
    uuu: boot({
      commands: textOr(listOf(mapOf(text))),
      ...may({ docker, skip_uuu_if_bootloader_valid: flag }),
    }),
  };
}

/** The methods that power a board on, or find something that runs already. */
function connections({ mapping, prompts }: Blocks, boot: Boot, shell: Entries): Entries {
  return {
    kexec: boot({
      boot_message: text,
      ...shell,
      ...may({
        command: text,
        kernel: text,
        dtb: text,
        initrd: text,
        options: texts,
        "kernel-config": text,
        deploy: flag,
        on_panic: flag,
      }),
    }),
    minimal: boot({
      ...shell,
      ...may({ pre_power_command: flag, pre_os_command: flag, reset: flag }),
    }),
    new_connection: boot({ connection: text, ...shell }),
    schroot: boot({ connection: oneOf("ssh"), schroot: text, ...may({ prompts }) }),
    ssh: boot(may({ prompts, parameters: mapping(may({ hostID: text, host_key: text })) })),
  };
}
