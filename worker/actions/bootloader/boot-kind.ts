import type { JobContext } from "../../pipeline/action.ts";
import { JobFailure } from "../../pipeline/job-failure.ts";
import type { BootKind } from "../../pipeline/job-slots.ts";

/** Load addresses of one boot command, as the device's parameters have them. */
export interface LoadAddresses {
  readonly kernel: string;
  readonly ramdisk: string;
  readonly dtb: string;
  readonly tee: string;
  readonly dtbo: string;
}

/**
 * U-Boot's command for a type of kernel (DISPATCHER.md 10.4, "bootX"). A raw kernel that the device has no addresses for
 * is converted to a uImage: `bootm` for another type than `uimage` means that. None on a device without U-Boot.
 *
 * @throws JobFailure Job when the type is unknown or the device has no addresses for it.
 */
export function bootKindFor(kernelType: unknown, job: JobContext): BootKind {
  if (kernelType === undefined || kernelType === null) {
    return { kernelType: undefined, bootCommand: undefined };
  }
  const type = TYPES.find((known) => known === kernelType);
  if (type === undefined) {
    const message = `kernel type ${JSON.stringify(kernelType)}: expected ${TYPES.join(", ")}`;
    throw new JobFailure("Job", message);
  }
  // Other bootloaders find out themselves what a kernel is.
  if (!Object.hasOwn(job.device.actions.boot.methods ?? {}, "u-boot")) {
    return { kernelType: type, bootCommand: undefined };
  }
  const own = type === "image" ? "booti" : type === "zimage" ? "bootz" : "bootm";
  const bootCommand = addressesOf(own, job) ? own : "bootm";
  loadAddresses(bootCommand, job, `a kernel of type ${type}`);
  return { kernelType: type, bootCommand };
}

const TYPES = ["image", "uimage", "zimage"] as const;

/** @throws JobFailure Job when the device has no addresses for this command. */
export function loadAddresses(
  bootCommand: NonNullable<BootKind["bootCommand"]>,
  job: JobContext,
  what = "this kernel",
): LoadAddresses {
  const found = addressesOf(bootCommand, job);
  const text = (name: string): string => String(found?.[name] ?? "");
  if (text("kernel") === "") {
    const message = `the device can't boot ${what}: parameters.${bootCommand}.kernel is missing (set ${bootCommand}_kernel_addr in its dictionary)`;
    throw new JobFailure("Job", message);
  }
  return {
    kernel: text("kernel"),
    ramdisk: text("ramdisk"),
    dtb: text("dtb"),
    tee: text("tee"),
    dtbo: text("dtbo"),
  };
}

function addressesOf(name: string, { device }: JobContext): Record<string, unknown> | undefined {
  const found = (device.parameters as Record<string, unknown> | null)?.[name];
  return typeof found === "object" && found !== null
    ? (found as Record<string, unknown>)
    : undefined;
}
