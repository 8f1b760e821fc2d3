import { describe, expect, test } from "vitest";
import type { BootBlock } from "#protocol/job-actions.ts";
import { bootKindFor } from "../../worker/actions/bootloader/boot-kind.ts";
import { commandsOf } from "../../worker/actions/bootloader/methods.ts";
import { bootloaderOverlay } from "../../worker/actions/bootloader/overlay.ts";
import {
  completePlaceholders,
  expandOverlays,
  substitute,
} from "../../worker/actions/bootloader/placeholders.ts";
import { bootCommandsSlot } from "../../worker/actions/bootloader/slots.ts";
import type { JobContext } from "../../worker/pipeline/action.ts";
import { bootKindSlot, placeholdersSlot, type BootKind } from "../../worker/pipeline/job-slots.ts";
import { aJobContext, run } from "../support/plan-of.ts";

const addresses = (first: string) => ({
  kernel: `${first}0`,
  ramdisk: `${first}1`,
  dtb: `${first}2`,
  tee: `${first}3`,
  dtbo: `${first}4`,
});

/** A board with addresses for `booti` and `bootm`, none for `bootz`. */
function aBoard({ header = "u-boot", method = {} as Record<string, unknown> } = {}): JobContext {
  const job = aJobContext();
  return {
    ...job,
    dispatcher: { dispatcher_ip: "10.9.8.7" },
    device: {
      ...job.device,
      parameters: { image: addresses("i"), booti: addresses("i"), bootm: addresses("m") },
      actions: {
        deploy: { methods: { tftp: null }, parameters: { add_header: header } },
        boot: { methods: { "u-boot": method } },
      },
    },
  };
}

const block: BootBlock = { method: "u-boot", commands: "ramdisk" };
const files = { KERNEL: "7/kernel/Image", RAMDISK: "7/ramdisk/r.uboot", DTB: "7/dtb/b.dtb" };
const complete = (
  deployed: Record<string, string>,
  kind: BootKind,
  job = aBoard(),
  boot = block,
): Readonly<Record<string, string>> => completePlaceholders("u-boot", boot, job, deployed, kind);

describe("the type of a kernel", () => {
  test.each([
    ["image", "booti"],
    ["uimage", "bootm"],
    ["zimage", "bootm"],
  ])("%s is started by %s on a board that has no addresses for bootz", (type, bootCommand) => {
    expect(bootKindFor(type, aBoard())).toEqual({ kernelType: type, bootCommand });
  });

  test("means nothing to a board that has another bootloader", () => {
    const job = aBoard();
    const boot = { methods: { barebox: {} } };
    const device = { ...job.device, actions: { ...job.device.actions, boot } };
    const kind = { kernelType: "zimage", bootCommand: undefined };
    expect(bootKindFor("zimage", { ...job, device })).toEqual(kind);
  });

  test("is refused when it is none, or when the board has no addresses for it", () => {
    expect(() => bootKindFor("elf", aBoard())).toThrow(/kernel type "elf": expected image/);
    const bare = { ...aBoard(), device: { ...aBoard().device, parameters: {} } };
    expect(() => bootKindFor("zimage", bare)).toThrow(/set bootm_kernel_addr in its dictionary/);
  });
});

describe("the values of a boot", () => {
  const booti: BootKind = { kernelType: "image", bootCommand: "booti" };

  test("have the addresses of the kernel's boot command, and the command itself", () => {
    expect(complete(files, booti)).toMatchObject({
      SERVER_IP: "10.9.8.7",
      LAVA_DISPATCHER_IP: "10.9.8.7",
      LAVA_JOB_ID: "7",
      KERNEL_ADDR: "i0",
      RAMDISK_ADDR: "i1",
      DTB_ADDR: "i2",
      BOOTX: "booti i0 i1 i2",
      TEE: "",
    });
  });

  test.each([
    ["no ramdisk", { KERNEL: "k", DTB: "d" }, "u-boot", "booti i0 - i2"],
    ["a ramdisk that has no header", files, "none", "booti i0 - i2"],
    ["a raw ramdisk, whose size must be said", files, "raw", "booti i0 i1:${initrd_size} i2"],
    ["a secure monitor in the kernel's place", { ...files, TEE: "t" }, "u-boot", "booti i3 i1 i2"],
    [
      "an initrd as it was downloaded",
      { ...files, INITRD: "i", NBDSERVERIP: "1.2.3.4" },
      "u-boot",
      "booti i0 i1:${initrd_size} i2",
    ],
  ])("boot with %s", (_what, deployed, header, expected) => {
    expect(complete(deployed, booti, aBoard({ header }))["BOOTX"]).toBe(expected);
  });

  test("know no address when the job says no type of kernel", () => {
    const known = complete(files, { kernelType: undefined, bootCommand: undefined });
    expect(Object.keys(known)).not.toContain("BOOTX");
    expect(substitute(["tftp {KERNEL_ADDR} {KERNEL}"], known).commands).toEqual([
      "tftp {KERNEL_ADDR} 7/kernel/Image",
    ]);
  });

  test("come from the block for files that are on a medium", () => {
    const boot = { ...block, kernel: "/boot/vmlinuz", root_uuid: "UUID=1", boot_part: 1 };
    expect(complete(files, booti, aBoard(), boot)).toMatchObject({
      KERNEL: "/boot/vmlinuz",
      ROOT: "UUID=1",
      ROOT_PART: "1",
    });
  });

  test("of an earlier boot's medium are not for a boot that names none", () => {
    const left = { ROOT: "UUID=1", ROOT_PART: "1" };
    expect(complete(left, bootKindFor(undefined, aBoard()))).toMatchObject({
      ROOT: "",
      ROOT_PART: "",
    });
  });

  test("refuse a MAC address that is none: it would be typed at a prompt", () => {
    const job = aBoard({ method: { parameters: { lava_mac: "1; reset" } } });
    expect(() => complete(files, booti, job)).toThrow(/no MAC address/);
  });
});

describe("commands", () => {
  test("that name something empty are dropped, what is unknown stays, values are not looked into", () => {
    const known = { A: "one {B}", B: "two", NONE: "" };
    expect(substitute(["x {A} {B}", "tftp {NONE} {B}", "y ${filesize} {C}"], known)).toEqual({
      commands: ["x one {B} two", "y ${filesize} {C}"],
      dropped: [{ command: "tftp {NONE} {B}", placeholder: "NONE" }],
    });
    expect(substitute(["a {NONE} b"], known, { keepsEmpty: true }).commands).toEqual(["a  b"]);
  });

  test("apply each device tree overlay in its order", () => {
    const apply = ["tftp {DTBO_ADDR} {DTBO}", "fdt apply {DTBO_ADDR}"];
    const names = { DTBO10: "ten", DTBO2: "two" };
    expect(expandOverlays(["fdt addr x", "{APPLY_DTBO_COMMANDS}"], apply, names)).toEqual([
      "fdt addr x",
      "tftp {DTBO_ADDR} {DTBO2}",
      "fdt apply {DTBO_ADDR}",
      "tftp {DTBO_ADDR} {DTBO10}",
      "fdt apply {DTBO_ADDR}",
    ]);
    expect(expandOverlays(["{APPLY_DTBO_COMMANDS}"], apply, {})).toEqual([]);
  });

  test("are a set of the device by name, or the job's own; a name that is none lists those there are", () => {
    const job = aBoard({
      method: { parameters: {}, ramdisk: { commands: ["run r"] }, nfs: { commands: ["run n"] } },
    });
    expect(commandsOf("u-boot", block, job)).toEqual(["run r"]);
    expect(commandsOf("u-boot", { method: "u-boot", commands: ["run x"] }, job)).toEqual(["run x"]);
    const wrong = { method: "u-boot", commands: "parameters" };
    expect(() => commandsOf("u-boot", wrong, job)).toThrow(
      /has no set "parameters"; it has ramdisk, nfs/,
    );
  });
});

describe("bootloader-overlay", () => {
  const overlay = (boot: BootBlock, job: JobContext) => {
    let commands: readonly string[] = [];
    const steps = [
      {
        name: "deploy",
        gives: [placeholdersSlot, bootKindSlot],
        run: async ({ slots }) => {
          slots.put(placeholdersSlot, files);
          slots.put(bootKindSlot, bootKindFor("image", job));
        },
      },
      bootloaderOverlay("u-boot", boot),
      { name: "look", run: async ({ slots }) => void (commands = slots.take(bootCommandsSlot)) },
    ] satisfies Parameters<typeof run>[0]["steps"];
    return run({ name: "block", steps }, { job }).then((ran) => ({ ...ran, commands }));
  };

  test("leaves the commands to type, reports the addresses, and drops what has no file", async () => {
    const set = ["tftp {TEE_ADDR} {TEE}", "tftp {KERNEL_ADDR} {KERNEL}", "{BOOTX}"];
    const job = aBoard({ method: { ramdisk: { commands: set } } });
    const ran = await overlay(block, job);
    expect(ran.outcome).toMatchObject({ result: "pass" });
    expect(ran.commands).toEqual(["tftp i0 7/kernel/Image", "booti i0 i1 i2"]);
    expect(ran.results).toContainEqual(
      expect.objectContaining({
        case: "bootloader-overlay",
        result: "pass",
        extra: { kernel_addr: "i0", dtb_addr: "i2", ramdisk_addr: "i1", tee_addr: "i3" },
      }),
    );
  });

  test("refuses a medium whose root nobody named, before anything is switched on", async () => {
    const job = aBoard({ method: { usb: { commands: ["load usb 0:{ROOT_PART} {KERNEL}"] } } });
    const ran = await overlay({ method: "u-boot", commands: "usb" }, job);
    expect(ran.outcome).toMatchObject({
      error_type: "Job",
      error_msg: expect.stringContaining("boot_part is missing") as string,
    });
  });
});
