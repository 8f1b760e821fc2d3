import { readdirSync, statSync } from "node:fs";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { readContainerBlock } from "../../worker/drivers/container-image.ts";
import { aJobContext } from "../support/plan-of.ts";
import { lacking } from "../support/lacking.ts";

/** What a job gets that asks for these. */
const asked = (devices: string[], dispatcher: Record<string, unknown> = {}) =>
  readContainerBlock({ ...aJobContext(), dispatcher }, { image: "alpine", devices }).devices;

const disk = readdirSync("/dev")
  .map((name) => path.join("/dev", name))
  .find((node) => statSync(node, { throwIfNoEntry: false })?.isBlockDevice());

describe("a job's container", () => {
  test.each([
    ...["/dev/mem", "/dev/kmem", "/dev/port", "/dev/sg0", "/dev/sg0:/dev/ttyS0", "/dev//mem"],
    ...["/dev/./mem", "/dev/nvme0", "/dev/cpu/0/msr", "/dev/mapper/control", "/dev/bsg/0:0:0:0"],
    ...["/dev/snapshot", "/dev/vfio/12"],
  ])("no disk and no memory of the worker is given to a job's container", (device) => {
    expect(() => asked([device])).toThrow(/is a disk or memory of the worker/);
  });

  test.skipIf(lacking(disk === undefined, "this machine has no disk below /dev"))(
    "nor what is really one, by whatever name, nor a folder that has it",
    () => {
      for (const device of [disk!, `${disk}:/dev/null:r`]) {
        expect(() => asked([device])).toThrow(/is a disk or memory of the worker/);
      }
      // Whichever is found first: what programs share is in there, too.
      expect(() => asked(["/dev/."])).toThrow(/is a disk or memory of the worker|more than 2000/);
      expect(asked([disk!], { container_devices: [disk] })).toEqual([disk]);
    },
  );

  test("has what boards are reached by", () => {
    const devices = [
      "/dev/ttyUSB0:/dev/ttyUSB0:rw",
      "/dev/null",
      "/dev/serial/by-id/usb-FTDI-if00",
    ];
    expect(asked(devices)).toEqual(devices);
  });
});
