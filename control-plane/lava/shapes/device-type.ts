import type { DeviceTypeView } from "#protocol/api.ts";
import { orNull } from "./device.ts";

/** As `scheduler.device_types.show` tells of a device type (API.md 4). */
export function deviceTypeDetails(
  type: DeviceTypeView,
  {
    aliases,
    devices,
    hasOwnTemplate,
  }: { aliases: string[]; devices: string[]; hasOwnTemplate: boolean },
) {
  return {
    name: type.name,
    description: orNull(type.description),
    display: type.display,
    // LAVA has it no more, but lavacli's export asks for it.
    owners_only: false,
    health_disabled: type.health_disabled,
    health_denominator: type.health_denominator,
    health_frequency: type.health_frequency,
    aliases,
    devices,
    default_template: !hasOwnTemplate,
  };
}
