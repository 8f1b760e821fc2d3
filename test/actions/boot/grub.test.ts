import { describe, expect, test } from "vitest";
import type { BootBlock } from "#protocol/job-actions.ts";
import { grubBoot, grubEfiBoot } from "../../../worker/actions/boot/grub.ts";
import type { Action, JobContext } from "../../../worker/pipeline/action.ts";
import { onConsole } from "../../support/on-console.ts";
import { aJobContext, run } from "../../support/plan-of.ts";

function jobWith(boot: Record<string, unknown>, deploy: Record<string, unknown> = {}): JobContext {
  const job = aJobContext();
  const actions = {
    deploy: { connections: null, methods: deploy },
    boot: { connections: null, methods: boot },
  };
  const commands = { connect: "cat", hard_reset: "true", power_off: "true" };
  return { ...job, device: { ...job.device, actions, commands } as unknown as typeof job.device };
}

const stepsOf = (block: BootBlock, job: JobContext, strategy = grubBoot): readonly Action[] =>
  strategy.action(block, {
    job,
    namespace: "common",
    overlayTests: [],
    hasShell: true,
    stage: 0,
  }).steps ?? [];
const names = (...of: Parameters<typeof stepsOf>): string[] =>
  stepsOf(...of).map(({ name }) => name);

const sequence = { grub: { sequence: ["wait-fastboot-interrupt"], installed: { commands: [] } } };

describe("the plan of grub", () => {
  test("goes through the firmware's menu where grub-efi has menu_options", () => {
    const job = jobWith({ "grub-efi": { menu_options: "pxe", parameters: {} } });
    const block = { method: "grub-efi", commands: "nfs" };
    expect(names(block, job, grubEfiBoot)).toEqual([
      "bootloader-from-media",
      "bootloader-overlay",
      "connect-device",
      "reset-device",
      "uefi-menu-interrupt",
      "grub-efi-menu-selector",
      "bootloader-interrupt",
      "bootloader-commands",
    ]);
  });

  test("resets the device unless the block or, for grub-efi, the device says no", () => {
    const grub = jobWith({ grub: { reset_device: false, parameters: {} } });
    expect(names({ method: "grub" }, grub)).toContain("reset-device");
    expect(names({ method: "grub", reset: false }, grub)).not.toContain("reset-device");
    const efi = jobWith({ "grub-efi": { reset_device: false, parameters: {} } });
    expect(names({ method: "grub-efi" }, efi, grubEfiBoot)).not.toContain("reset-device");
  });

  test("waits for an installer's end where there is no prompt, then switches off", () => {
    const job = jobWith({ grub: { parameters: {} } });
    const block = { method: "grub", boot_finished: "reboot: System halted" };
    expect(names(block, job).slice(-2)).toEqual(["installer-wait", "power-off"]);
    expect(names({ ...block, prompts: ["#"] }, job)).not.toContain("installer-wait");
  });

  test("is the device's own sequence where it has one, by either name", () => {
    const job = jobWith(sequence);
    for (const strategy of [grubBoot, grubEfiBoot]) {
      const block = { method: strategy.name, prompts: ["#"] };
      expect(strategy.refuses(block, job)).toBeUndefined();
      expect(names(block, job, strategy)).toEqual([
        "wait-fastboot-interrupt",
        "auto-login-action",
        "expect-shell-connection",
        "export-device-env",
      ]);
    }
  });

  test("is refused on a device without GRUB, with what it has", () => {
    expect(grubBoot.refuses({ method: "grub" }, jobWith({ minimal: null }))).toBe(
      "the device has no boot method grub or grub-efi (it has minimal)",
    );
  });
});

describe("on a console", () => {
  test("fastboot is left with the device's key", async () => {
    const fastboot = { interrupt_prompt: "Android Fastboot mode", interrupt_string: " " };
    const job = jobWith(sequence, { fastboot });
    const script = "echo 'Android Fastboot mode'; key=$(head -c 1); echo \"key <$key>\"; exec cat";
    const { outcome, records } = await run(
      onConsole({ script }, stepsOf({ method: "grub" }, job).slice(0, 1)),
      { job },
    );
    expect(outcome.result).toBe("pass");
    expect(records.filter(({ lvl }) => lvl === "input").map(({ msg }) => msg)).toEqual([" "]);
  });

  test("a sequence without fastboot's prompt is refused at once", async () => {
    const job = jobWith(sequence, { fastboot: null });
    const { outcome } = await run(
      onConsole({ script: "exec cat" }, stepsOf({ method: "grub" }, job)),
      { job },
    );
    expect(outcome.error_msg).toContain("no actions.deploy.methods.fastboot.interrupt_prompt");
  });

  test("an installer is done when any of its last words came", async () => {
    const job = jobWith({ grub: { parameters: {} } });
    const block = { method: "grub", boot_finished: ["System halted", "Restarting system\\."] };
    const script = "echo 'installing'; echo 'reboot: Restarting system.'; exec cat";
    const { outcome } = await run(onConsole({ script }, stepsOf(block, job).slice(-2)), { job });
    expect(outcome.result).toBe("pass");
  });
});
