import * as v from "valibot";
import { labDeviceSchema, tagName, type LabSectionOf } from "#protocol/lab.ts";
import { DEVICE_HEALTHS } from "#protocol/states.ts";
import type { Asking } from "./asking.ts";
import { healthOf, kept } from "./kept.ts";
import { lavaDevice, lavaDeviceList } from "./lava-schemas.ts";

/** Devices with their dictionaries. */
export async function readDevices(lava: Asking): Promise<LabSectionOf<"devices">> {
  const about = { section: "devices", what: "the list" } as const;
  const list = (await lava.ask(lavaDeviceList, about, "scheduler.devices.list", true)) ?? [];
  const read = await lava.each("devices", list, ({ hostname }) => readDevice(lava, hostname));
  return Object.fromEntries(read.flat());
}

async function readDevice(lava: Asking, name: string) {
  const section = "devices";
  const leaveOut = (why: string): [] => (lava.warn(section, name, `left out: ${why}`), []);
  const about = { section, name, what: "it" } as const;
  const device = await lava.ask(lavaDevice, about, "scheduler.devices.show", name);
  if (!device) return leaveOut("that LAVA does not show it to this user");
  const { user, group, worker, description, has_device_dict: hasDictionary } = device;
  if (!worker) return leaveOut("it has no worker");
  const dictionary = hasDictionary
    ? await lava.askFile(
        { ...about, what: "its dictionary" },
        "scheduler.devices.get_dictionary",
        name,
      )
    : undefined;
  if (dictionary === undefined) return leaveOut("no dictionary was found");
  const health = healthOf(DEVICE_HEALTHS, device.health);
  if (health === "Bad") {
    const message =
      "is Bad, and each apply makes it so again until its `health` is taken out of devices.yaml";
    lava.warn(section, name, message);
  }
  const tags = device.tags.filter((tag) => {
    const isFine = v.is(tagName, tag);
    if (!isFine)
      lava.warn(section, name, `without its tag ${JSON.stringify(tag)}: no such name can be`);
    return isFine;
  });
  // Good and Unknown are what a device begins with.
  const isTold = health !== undefined && health !== "Good" && health !== "Unknown";
  const wanted = {
    device_type: device.device_type,
    worker,
    tags,
    description,
    ...(isTold ? { health } : {}),
    ...(user ? { physical_owner: user } : {}),
    ...(group ? { physical_group: group } : {}),
    dictionary,
  };
  return kept(lava, section, name, labDeviceSchema, wanted);
}
