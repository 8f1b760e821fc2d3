import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { describe, expect, test } from "vitest";
import type { BootBlock } from "#protocol/job-actions.ts";
import { kexecBoot } from "../../../worker/actions/boot/kexec.ts";
import type { Action } from "../../../worker/pipeline/action.ts";
import { placeholdersSlot, tftpFilesSlot } from "../../../worker/pipeline/job-slots.ts";
import { onConsole } from "../../support/on-console.ts";
import { aJobContext, run } from "../../support/plan-of.ts";

/** A shell whose `kexec` says what it was asked, and whose new kernel says hello. */
const dut = (kexec: string): string => `
kexec() { echo "asked: $*"; ${kexec} }
echo "# "
while read -r line; do
  case "$line" in "echo c > /proc/sysrq-trigger") echo "sysrq: Trigger a crash"; echo "Booting Linux"; line=: ;; esac
  eval "$line"
  echo "# "
done`;
const boots = `case "$*" in -e) echo "Booting Linux on physical CPU 0";; esac;`;

const call = (block: Partial<BootBlock>): Action => {
  const whole = { method: "kexec", command: "kexec", boot_message: "Booting Linux", ...block };
  const context = {
    job: aJobContext(),
    namespace: "common",
    overlayTests: [],
    hasShell: false,
    stage: 0,
  };
  return kexecBoot.action(whole as BootBlock, context);
};
const kexec = (block: Partial<BootBlock>, script = dut(boots)) =>
  run(onConsole({ script, prompts: ["# "] }, [call(block)]));

describe("kexec", () => {
  test("loads the kernel with all that belongs to it, then starts it", async () => {
    const { outcome, messages } = await kexec({
      kernel: "/boot/Image",
      dtb: "/boot/b.dtb",
      initrd: "/boot/i",
      options: ["--reuse-cmdline"],
    });
    expect(outcome.result, messages.join("\n")).toBe("pass");
    expect(messages.filter((line) => line.startsWith("asked: "))).toEqual([
      "asked: --load /boot/Image --dtb /boot/b.dtb --initrd /boot/i --reuse-cmdline",
      "asked: -e",
    ]);
  });

  test("for a panic is loaded and waits for one, which is caused", async () => {
    const { outcome, messages } = await kexec({ kernel: "/boot/Image", on_panic: true });
    expect(outcome.result, messages.join("\n")).toBe("pass");
    expect(messages).toContain("asked: --load-panic /boot/Image");
    expect(messages).not.toContain("asked: -e");
  });

  test("that fails to load is told with its return code, and nothing is started", async () => {
    const script = dut("echo 'Cannot open /boot/Image'; return 255;");
    const { outcome, messages } = await kexec({ kernel: "/boot/Image" }, script);
    expect(outcome).toMatchObject({
      error_type: "Job",
      error_msg: "'kexec --load /boot/Image' failed with return code 255!",
    });
    expect(messages).not.toContain("asked: -e");
  });

  test("fetches what a deployment offers by TFTP", async () => {
    const scratch = mkdtempSync(path.join(tmpdir(), "pumice-kexec-"));
    try {
      writeFileSync(path.join(scratch, "Image"), "a kernel");
      const offer: Action = {
        name: "offer",
        run: async ({ slots }) => {
          slots.put(tftpFilesSlot, { folder: scratch, tftpPath: "7/tftp" });
          slots.put(placeholdersSlot, { KERNEL: "7/tftp/Image", DTB: "" });
        },
      };
      const to = path.join(scratch, "on the DUT");
      const block = { kernel: to, deploy: true };
      const steps = [offer, call({ ...block, command: "kexec" })];
      const services = { dispatcher_ip: "127.0.0.1", services_address: "127.0.0.1" };
      const job = { ...aJobContext(), scratch, dispatcher: services };
      // The stand-in's kexec is asked without quotes: its kernel's path is only looked at here.
      const { messages } = await run(onConsole({ script: dut(boots), prompts: ["# "] }, steps), {
        job,
      });
      expect(existsSync(to) && readFileSync(to, "utf8"), messages.join("\n")).toBe("a kernel");
    } finally {
      rmSync(scratch, { recursive: true });
    }
  });

  test.each([
    [{ boot_message: "" }, /boot_message is missing/],
    [{ command: "/sbin/kexec" }, /kernel is missing/],
    [{ kernel: "/k", deploy: true }, /no image kernel was deployed \(there are none\)/],
  ])("with %j says what is missing", async (block, message) => {
    expect((await kexec(block)).outcome.error_msg).toMatch(message);
  });
});
